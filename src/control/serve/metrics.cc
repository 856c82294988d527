#include "control/serve/metrics.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>

#include "core/base/check.h"

namespace plait::control::serve {
namespace {

enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };
struct Family {
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::span<const double> bounds = {};
};

constexpr double kSeconds[] = {.001, .005, .01, .05, .1, .5, 1, 3, 5, 10, 20, 30};
constexpr double kBytes[] = {1e3, 1e4, 1e5, 1e6, 4e6, 1e7, 4e7};

// Sorted by name.
constexpr Family kFamilies[] = {
    {"citadel_server_authentication_failure_count", Kind::kCounter,
     "Certificate requests whose caller was not authenticated."},
    {"citadel_server_csr_count", Kind::kCounter, "Certificate requests received."},
    {"citadel_server_csr_parsing_err_count", Kind::kCounter, "Certificate requests that could not be read."},
    {"citadel_server_root_cert_expiry_timestamp", Kind::kGauge, "When the root certificate expires, in Unix seconds."},
    {"citadel_server_success_cert_issuance_count", Kind::kCounter, "Certificates issued."},
    {"istio_build", Kind::kGauge, "Always 1; labels tell the build."},
    {"pilot_conflict_inbound_listener", Kind::kGauge, "Ports of pods for which services declare different protocols."},
    {"pilot_conflict_outbound_listener_tcp_over_current_tcp", Kind::kGauge,
     "Addresses and TCP ports that two services claim."},
    {"pilot_debounce_time", Kind::kHistogram, "Seconds that a change of configuration waited for further ones.",
     kSeconds},
    {"pilot_destrule_subsets", Kind::kGauge, "Hosts for which DestinationRules repeat a subset."},
    {"pilot_duplicate_envoy_clusters", Kind::kGauge, "Hosts and ports that two services claim."},
    {"pilot_eds_no_instances", Kind::kGauge, "Clusters without a ready endpoint."},
    {"pilot_endpoint_not_ready", Kind::kGauge, "Pods that are not ready."},
    {"pilot_info", Kind::kGauge, "Always 1; the label tells the version."},
    {"pilot_k8s_cfg_events", Kind::kCounter, "Changes of configuration objects, by kind and event."},
    {"pilot_k8s_reg_events", Kind::kCounter,
     "Changes of services, pods and what else the registry has, by type and event."},
    {"pilot_proxy_convergence_time", Kind::kHistogram,
     "Seconds from a change of configuration to its acknowledgement by a proxy.", kSeconds},
    {"pilot_push_triggers", Kind::kCounter, "Changes that led to a push, by what changed."},
    {"pilot_pushcontext_init_seconds", Kind::kHistogram, "Seconds to make a snapshot of the configuration.", kSeconds},
    {"pilot_services", Kind::kGauge, "Services known."},
    {"pilot_total_xds_internal_errors", Kind::kCounter, "Streams ended because a request could not be read."},
    {"pilot_total_xds_rejects", Kind::kCounter, "Responses that proxies rejected."},
    {"pilot_virt_services", Kind::kGauge, "VirtualServices known."},
    {"pilot_vservice_dup_domain", Kind::kGauge, "Hosts that two VirtualServices claim."},
    {"pilot_xds", Kind::kGauge, "Connected proxies."},
    {"pilot_xds_config_size_bytes", Kind::kHistogram, "Sizes of responses.", kBytes},
    {"pilot_xds_expired_nonce", Kind::kCounter, "Acknowledgements of responses that nobody waits for."},
    {"pilot_xds_push_time", Kind::kHistogram, "Seconds to make and send what a proxy must be told.", kSeconds},
    {"pilot_xds_pushes", Kind::kCounter, "Responses sent."},
    {"pilot_xds_resources_sent", Kind::kCounter, "Resources in responses."},
    {"pilot_xds_streams_refused", Kind::kCounter,
     "Streams that the server ended: not authenticated, forged node, limits."},
    {"pilot_xds_write_timeout", Kind::kCounter, "Streams ended because the proxy answered nothing."},
    {"plaitd_config_objects", Kind::kGauge, "Configuration objects known, by kind."},
    {"plaitd_config_problems", Kind::kGauge, "Problems of the configuration, by severity."},
    {"plaitd_reloads_total", Kind::kCounter, "Times that the configuration was read, by result."},
    {"process_cpu_seconds_total", Kind::kCounter, "CPU seconds used."},
    {"process_open_fds", Kind::kGauge, "Open file descriptors."},
    {"process_resident_memory_bytes", Kind::kGauge, "Resident memory."},
    {"process_virtual_memory_bytes", Kind::kGauge, "Virtual memory."},
};

const Family& Find(std::string_view name) {
  const auto at = std::lower_bound(std::begin(kFamilies), std::end(kFamilies), name,
                                   [](const Family& f, std::string_view n) { return f.name < n; });
  PLAIT_CHECK(at != std::end(kFamilies) && at->name == name);
  return *at;
}

std::string LabelText(const Metrics::Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out.append(name).append("=\"");
    for (const char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      if (c == '\n') {
        out += "\\n";
      } else {
        out += c;
      }
    }
    out += '"';
  }
  return out;
}

std::string_view KindText(Kind kind) {
  constexpr std::string_view kText[] = {"counter", "gauge", "histogram"};
  return kText[static_cast<std::size_t>(kind)];
}

// The shortest text that reads back as `value`.
std::string Number(double value) {
  char text[32];
  return {text, std::to_chars(std::begin(text), std::end(text), value).ptr};
}

void WriteHistogram(const Family& family, const std::string& labels, const std::vector<std::uint64_t>& buckets,
                    double sum, std::string& out) {
  const std::string_view comma = labels.empty() ? "" : ",";
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    const std::string bound = i < family.bounds.size() ? Number(family.bounds[i]) : "+Inf";
    out.append(family.name)
        .append("_bucket{")
        .append(labels)
        .append(comma)
        .append("le=\"")
        .append(bound)
        .append("\"} ");
    out.append(std::to_string(count)).append("\n");
  }
  const std::string braces = labels.empty() ? "" : "{" + labels + "}";
  out.append(family.name).append("_sum").append(braces).append(" ").append(Number(sum)).append("\n");
  out.append(family.name).append("_count").append(braces).append(" ").append(std::to_string(count)).append("\n");
}

}  // namespace

Metrics::Metrics() {
  // What has no label, or only known ones, is there from the start, so that rates begin at zero.
  for (const std::string_view name :
       {"citadel_server_authentication_failure_count", "citadel_server_csr_count",
        "citadel_server_csr_parsing_err_count", "citadel_server_success_cert_issuance_count",
        "pilot_total_xds_internal_errors", "pilot_xds_streams_refused", "pilot_xds_write_timeout"})
    Add(name, {}, 0);
  for (const std::string_view type : {"cds", "eds", "lds", "rds", "sds"})
    Add("pilot_total_xds_rejects", {{"type", type}}, 0);
  for (const std::string_view type : {"EndpointSlice", "Namespaces", "Nodes", "Pods", "Services"})
    for (const std::string_view event : {"add", "update", "delete"})
      Add("pilot_k8s_reg_events", {{"type", type}, {"event", event}}, 0);
}

void Metrics::Add(std::string_view name, const Labels& labels, double n) {
  const Family& family = Find(name);
  PLAIT_CHECK(family.kind == Kind::kCounter);
  families_[family.name][LabelText(labels)].value += n;
}

void Metrics::Set(std::string_view name, const Labels& labels, double value) {
  const Family& family = Find(name);
  PLAIT_CHECK(family.kind != Kind::kHistogram);
  families_[family.name][LabelText(labels)].value = value;
}

void Metrics::Observe(std::string_view name, const Labels& labels, double value) {
  const Family& family = Find(name);
  PLAIT_CHECK(family.kind == Kind::kHistogram);
  Series& series = families_[family.name][LabelText(labels)];
  series.buckets.resize(family.bounds.size() + 1);
  const auto bucket = std::lower_bound(family.bounds.begin(), family.bounds.end(), value) - family.bounds.begin();
  ++series.buckets[static_cast<std::size_t>(bucket)];
  series.value += value;
}

void Metrics::Clear(std::string_view name) { families_.erase(Find(name).name); }

double Metrics::Value(std::string_view name, const Labels& labels) const {
  const auto family = families_.find(name);
  if (family == families_.end()) return 0;
  const auto series = family->second.find(LabelText(labels));
  if (series == family->second.end()) return 0;
  if (series->second.buckets.empty()) return series->second.value;
  std::uint64_t count = 0;
  for (const std::uint64_t n : series->second.buckets) count += n;
  return static_cast<double>(count);
}

std::string Metrics::Text() const {
  std::string out;
  for (const auto& [name, series] : families_) {
    const Family& family = Find(name);
    out.append("# HELP ").append(name).append(" ").append(family.help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(KindText(family.kind)).append("\n");
    for (const auto& [labels, values] : series) {
      if (family.kind == Kind::kHistogram) {
        WriteHistogram(family, labels, values.buckets, values.value, out);
      } else {
        out.append(name);
        if (!labels.empty()) out.append("{").append(labels).append("}");
        out.append(" ").append(Number(values.value)).append("\n");
      }
    }
  }
  return out;
}

}  // namespace plait::control::serve
