#include <networking/v1alpha3/destination_rule.pb.h>

#include <algorithm>
#include <utility>

#include "control/model/checks.h"
#include "control/model/locality_reading.h"
#include "control/model/protobuf_reading.h"
#include "core/base/strings.h"
#include "core/xds/lb_limits.h"

namespace plait::control::model {
namespace {
namespace net = istio::networking::v1alpha3;

constexpr std::size_t kMaxServerName = 255;
// What a rule without a last good version does until it is mended.
constexpr const char* kRefused = ": nothing is sent (503) where this rule asks for TLS that cannot be";

class PolicyReader {
 public:
  explicit PolicyReader(ObjectReader& reader) : reader_(reader) {}

  // `host`: of a subset, what it lies over.
  void Read(const net::TrafficPolicy& from, const std::string& path, TrafficPolicy& to,
            const TrafficPolicy* host = nullptr) {
    ReadCommon(from, path, to);
    if (!host || !host->outlier_detection) CheckFailover(path, to);
    if (from.has_retry_budget()) {
      RetryBudget& budget = to.retry_budget.emplace();
      if (from.retry_budget().has_percent()) budget.percent = from.retry_budget().percent().value();
      if (from.retry_budget().min_retry_concurrency() > 0)
        budget.min_retry_concurrency = from.retry_budget().min_retry_concurrency();
      if (!CheckPercent(reader_, path + ".retryBudget.percent", budget.percent)) to.retry_budget.reset();
    }
    for (int i = 0; i < from.port_level_settings_size(); ++i) {
      const auto& port = from.port_level_settings(i);
      const std::string at = Indexed(path + ".portLevelSettings", static_cast<std::size_t>(i));
      if (!CheckPort(reader_, at + ".port.number", port.port().number())) continue;
      TrafficPolicy policy;
      ReadCommon(port, at, policy);
      CheckFailover(at, policy);
      to.ports.emplace_back(static_cast<std::uint16_t>(port.port().number()), std::move(policy));
    }
  }

 private:
  // What a policy of a host and of a port have in common. A value that a proxy would refuse a whole cluster for is left
  // out; not so TLS, since without it more would be open than was asked for.
  template <class Policy>
  void ReadCommon(const Policy& from, const std::string& path, TrafficPolicy& to) {
    if (from.has_load_balancer() &&
        !ReadLoadBalancer(from.load_balancer(), path + ".loadBalancer", to.load_balancer.emplace()))
      to.load_balancer.reset();
    if (from.has_connection_pool())
      ReadPool(from.connection_pool(), path + ".connectionPool", to.connection_pool.emplace());
    if (from.has_outlier_detection())
      ReadOutlier(from.outlier_detection(), path + ".outlierDetection", to.outlier_detection.emplace());
    if (from.has_tls()) ReadTls(from.tls(), path + ".tls", to.tls.emplace());
  }

  // Without an end to what fails nothing ever goes where it should go then.
  void CheckFailover(const std::string& path, const TrafficPolicy& policy) {
    if (policy.outlier_detection || !policy.load_balancer || !policy.load_balancer->locality) return;
    const LocalityBalancing& locality = *policy.load_balancer->locality;
    const char* field = !locality.failover.empty()            ? "failover"
                        : !locality.failover_priority.empty() ? "failoverPriority"
                                                              : nullptr;
    if (!field || !locality.enabled || !locality.distribute.empty()) return;
    reader_.Warning(path + ".loadBalancer.localityLbSetting." + field,
                    std::string(field) + " without outlierDetection: all localities are used alike, as in Istio",
                    "add outlierDetection beside loadBalancer, e.g. {consecutive5xxErrors: 5}");
  }

  bool ReadLocality(const net::LocalityLoadBalancerSetting& from, const std::string& path, LoadBalancer& to) {
    if (const auto problem = ProblemOf(from)) {
      reader_.Error(path + problem->path, problem->message, problem->hint);
      return false;
    }
    to.locality = ToLocalityBalancing(from);
    if (!to.locality->distribute.empty() && !to.locality->failover_priority.empty())
      reader_.Warning(path + ".failoverPriority", "failoverPriority beside distribute: the shares alone count",
                      "keep one of the two");
    return true;
  }

  bool ReadLoadBalancer(const net::LoadBalancerSettings& from, const std::string& path, LoadBalancer& to) {
    switch (from.simple()) {
      case net::LoadBalancerSettings::RANDOM: to.simple = LoadBalancer::Simple::kRandom; break;
      case net::LoadBalancerSettings::PASSTHROUGH: to.simple = LoadBalancer::Simple::kPassthrough; break;
      case net::LoadBalancerSettings::ROUND_ROBIN: to.simple = LoadBalancer::Simple::kRoundRobin; break;
      default: break;
    }
    if (from.has_warmup()) {
      to.warmup = ToDuration(from.warmup().duration());
      if (from.warmup().has_minimum_percent()) to.warmup_minimum_percent = from.warmup().minimum_percent().value();
      if (from.warmup().has_aggression()) to.warmup_aggression = from.warmup().aggression().value();
      if (!CheckPercent(reader_, path + ".warmup.minimumPercent", to.warmup_minimum_percent)) return false;
      if (!(to.warmup_aggression >= 1)) {
        reader_.Error(path + ".warmup.aggression", "aggression must be at least 1",
                      "1 is the default: a straight line");
        return false;
      }
      if (!CheckPositive(reader_, path + ".warmup.duration", *to.warmup)) return false;
    } else if (from.has_warmup_duration_secs()) {
      to.warmup = ToDuration(from.warmup_duration_secs());
      if (!CheckPositive(reader_, path + ".warmupDurationSecs", *to.warmup)) return false;
    }
    if (from.has_locality_lb_setting() && !ReadLocality(from.locality_lb_setting(), path + ".localityLbSetting", to))
      return false;
    return !from.has_consistent_hash() ||
           ReadHash(from.consistent_hash(), path + ".consistentHash", to.consistent_hash.emplace());
  }

  bool ReadHash(const net::LoadBalancerSettings::ConsistentHashLB& from, const std::string& path, ConsistentHash& to) {
    using Hash = net::LoadBalancerSettings::ConsistentHashLB;
    switch (from.hash_key_case()) {
      case Hash::kHttpHeaderName: to = {.key = ConsistentHash::Key::kHeader, .name = from.http_header_name()}; break;
      case Hash::kUseSourceIp: to = {.key = ConsistentHash::Key::kSourceIp}; break;
      case Hash::kHttpQueryParameterName:
        to = {.key = ConsistentHash::Key::kQueryParameter, .name = from.http_query_parameter_name()};
        break;
      case Hash::kHttpCookie:
        to = {.key = ConsistentHash::Key::kCookie,
              .name = from.http_cookie().name(),
              .cookie_path = from.http_cookie().path()};
        if (from.http_cookie().has_ttl()) to.cookie_ttl = ToDuration(from.http_cookie().ttl());
        for (const auto& attribute : from.http_cookie().attributes())
          to.cookie_attributes.emplace_back(attribute.name(), attribute.value());
        if (std::ranges::any_of(to.cookie_attributes, [](const auto& each) { return each.first.empty(); })) {
          reader_.Error(path + ".httpCookie.attributes", "an attribute has no name",
                        "e.g. {name: SameSite, value: Lax}");
          return false;
        }
        break;
      default:
        reader_.Error(path, "there is no key to hash",
                      "httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName");
        return false;
    }
    if (to.key != ConsistentHash::Key::kSourceIp && to.name.empty()) {
      reader_.Error(path, "the key to hash has no name", "name the header, cookie or query parameter");
      return false;
    }
    if (!CheckNotNegative(reader_, path + ".httpCookie.ttl", to.cookie_ttl.value_or(Duration{}))) return false;
    if (from.has_maglev()) {
      to.maglev = true;
      if (from.maglev().table_size() != 0) to.table_size = from.maglev().table_size();
      if (xds::IsMaglevTable(to.table_size)) return true;
      const bool large = to.table_size > xds::kMaxMaglevTable;
      reader_.Error(path + ".maglev.tableSize",
                    "the table size " + std::to_string(to.table_size) +
                        (large ? " is above " + std::to_string(xds::kMaxMaglevTable) : " is not a prime number"),
                    "65537 is the default");
      return false;
    }
    if (from.ring_hash().minimum_ring_size() != 0)
      return RingSize(path + ".ringHash.minimumRingSize", from.ring_hash().minimum_ring_size(), to.minimum_ring_size);
    return from.minimum_ring_size() == 0 ||
           RingSize(path + ".minimumRingSize", from.minimum_ring_size(), to.minimum_ring_size);
  }

  bool RingSize(const std::string& path, std::uint64_t size, std::uint64_t& to) {
    to = size;
    if (size <= xds::kMaxRingSize) return true;
    reader_.Error(path, "the ring size " + std::to_string(size) + " is above " + std::to_string(xds::kMaxRingSize),
                  "1024 is the default");
    return false;
  }

  void Count(const std::string& path, std::int32_t value, std::uint32_t& to) {
    if (value < 0)
      reader_.Error(path, "the number " + std::to_string(value) + " is negative");
    else
      to = static_cast<std::uint32_t>(value);
  }
  void Percent(const std::string& path, std::int32_t value, std::uint32_t& to) {
    if (CheckPercent(reader_, path, value)) to = static_cast<std::uint32_t>(value);
  }
  void Positive(bool has, const google::protobuf::Duration& from, const std::string& path,
                std::optional<Duration>& to) {
    if (has && CheckPositive(reader_, path, ToDuration(from))) to = ToDuration(from);
  }
  void NotNegative(bool has, const google::protobuf::Duration& from, const std::string& path,
                   std::optional<Duration>& to) {
    if (has && CheckNotNegative(reader_, path, ToDuration(from))) to = ToDuration(from);
  }
  // Within what Linux takes.
  void KeepAliveTime(bool has, const google::protobuf::Duration& from, const std::string& path,
                     std::optional<Duration>& to) {
    constexpr auto kLongest = std::chrono::seconds(32'767);
    if (!has) return;
    if (ToDuration(from) > Duration::zero() && ToDuration(from) <= kLongest) {
      to = ToDuration(from);
      return;
    }
    reader_.Error(path, path.substr(path.find("tcpKeepalive")) + " must be above 0 and at most 32767s", "e.g. 7200s");
  }
  void ReadKeepAlive(const net::ConnectionPoolSettings::TCPSettings::TcpKeepalive& from, const std::string& path,
                     ConnectionPool& to) {
    constexpr std::uint32_t kMostProbes = 127;  // Linux takes no more
    if (from.probes() > kMostProbes)
      reader_.Error(path + ".probes", std::to_string(from.probes()) + " probes are more than 127", "9 is the default");
    else if (from.probes() > 0)
      to.keep_alive_probes = from.probes();
    to.keep_alive_time = std::chrono::hours(2);
    KeepAliveTime(from.has_time(), from.time(), path + ".time", to.keep_alive_time);
    KeepAliveTime(from.has_interval(), from.interval(), path + ".interval", to.keep_alive_interval);
  }

  void ReadPool(const net::ConnectionPoolSettings& from, const std::string& path, ConnectionPool& to) {
    const auto& tcp = from.tcp();
    const auto& http = from.http();
    Positive(tcp.has_connect_timeout(), tcp.connect_timeout(), path + ".tcp.connectTimeout", to.connect_timeout);
    NotNegative(tcp.has_idle_timeout(), tcp.idle_timeout(), path + ".tcp.idleTimeout", to.tcp_idle_timeout);
    Positive(tcp.has_max_connection_duration(), tcp.max_connection_duration(), path + ".tcp.maxConnectionDuration",
             to.max_connection_duration);
    if (tcp.has_tcp_keepalive()) ReadKeepAlive(tcp.tcp_keepalive(), path + ".tcp.tcpKeepalive", to);
    NotNegative(http.has_idle_timeout(), http.idle_timeout(), path + ".http.idleTimeout", to.http_idle_timeout);
    to.upgrade_to_h2 = http.h2_upgrade_policy() == net::ConnectionPoolSettings::HTTPSettings::UPGRADE;
    to.use_client_protocol = http.use_client_protocol();
    Count(path + ".tcp.maxConnections", tcp.max_connections(), to.max_connections);
    Count(path + ".http.http1MaxPendingRequests", http.http1_max_pending_requests(), to.http1_max_pending_requests);
    Count(path + ".http.http2MaxRequests", http.http2_max_requests(), to.http2_max_requests);
    Count(path + ".http.maxRequestsPerConnection", http.max_requests_per_connection(), to.max_requests_per_connection);
    Count(path + ".http.maxRetries", http.max_retries(), to.max_retries);
    Count(path + ".http.maxConcurrentStreams", http.max_concurrent_streams(), to.max_concurrent_streams);
  }

  void ReadOutlier(const net::OutlierDetection& from, const std::string& path, OutlierDetection& to) {
    if (from.has_consecutive_5xx_errors()) to.consecutive_5xx = from.consecutive_5xx_errors().value();
    if (from.has_consecutive_gateway_errors())
      to.consecutive_gateway_errors = from.consecutive_gateway_errors().value();
    else if (from.consecutive_errors() > 0)
      to.consecutive_gateway_errors = static_cast<std::uint32_t>(from.consecutive_errors());
    if (from.has_consecutive_local_origin_failures())
      to.consecutive_local_origin_failures = from.consecutive_local_origin_failures().value();
    to.split_local_origin = from.split_external_local_origin_errors();
    Positive(from.has_interval(), from.interval(), path + ".interval", to.interval);
    Positive(from.has_base_ejection_time(), from.base_ejection_time(), path + ".baseEjectionTime",
             to.base_ejection_time);
    Percent(path + ".maxEjectionPercent", from.max_ejection_percent(), to.max_ejection_percent);
    Percent(path + ".minHealthPercent", from.min_health_percent(), to.min_health_percent);
  }

  void ReadTls(const net::ClientTLSSettings& from, const std::string& path, ClientTls& to) {
    switch (from.mode()) {
      case net::ClientTLSSettings::DISABLE: break;
      case net::ClientTLSSettings::SIMPLE: to.mode = ClientTls::Mode::kSimple; break;
      case net::ClientTLSSettings::MUTUAL: to.mode = ClientTls::Mode::kMutual; break;
      case net::ClientTLSSettings::ISTIO_MUTUAL: to.mode = ClientTls::Mode::kIstioMutual; break;
      default: return Refuse(path + ".mode", "the mode is unknown", "DISABLE, SIMPLE, MUTUAL or ISTIO_MUTUAL", to);
    }
    to.client_certificate = from.client_certificate();
    to.private_key = from.private_key();
    to.ca_certificates = from.ca_certificates();
    to.subject_alt_names.assign(from.subject_alt_names().begin(), from.subject_alt_names().end());
    to.sni = from.sni();
    if (to.sni.size() > kMaxServerName)
      return Refuse(path + ".sni", "the server name has " + std::to_string(to.sni.size()) + " bytes",
                    "a name of at most 255, as TLS carries it", to);
    to.insecure_skip_verify = from.insecure_skip_verify().value();
    if (to.mode == ClientTls::Mode::kMutual && (to.client_certificate.empty() || to.private_key.empty()))
      return Refuse(path, "mode MUTUAL needs clientCertificate and privateKey",
                    "name the files, or use ISTIO_MUTUAL for the mesh's own certificate", to);
    const bool own_roots = to.mode == ClientTls::Mode::kSimple || to.mode == ClientTls::Mode::kMutual;
    if (own_roots && to.ca_certificates.empty() && !to.insecure_skip_verify)
      reader_.Warning(path,
                      "TLS without caCertificates: a certificate of any of the system's public authorities is accepted",
                      "name a file with the server's own authority in caCertificates", "IST0128");
  }
  void Refuse(const std::string& path, const std::string& why, const char* hint, ClientTls& to) {
    reader_.Error(path, why + kRefused, hint);
    to = {.mode = ClientTls::Mode::kUnusable};
  }

  ObjectReader& reader_;
};

template <class T>
void FallBack(std::optional<T>& value, const std::optional<T>& otherwise) {
  if (!value) value = otherwise;
}

TrafficPolicy Unusable() {
  TrafficPolicy policy;
  policy.tls.emplace().mode = ClientTls::Mode::kUnusable;
  return policy;
}

// A rule that cannot be read: where it asks for TLS, nothing may be sent without. Whom else it was exported to is as
// little known as the rest, so it holds for its own namespace.
void KeepTlsAskedFor(ObjectReader& reader, const net::DestinationRule& read, Decoded& out) {
  const yaml::Node* policy = reader.Spec().Find("trafficPolicy");
  if (!policy || read.host().empty()) return;
  DestinationRule rule{
      .meta = reader.meta(), .host = read.host(), .host_at = {reader.At("spec.host")}, .export_to = {"."}};
  if (policy->Find("tls")) rule.policy = Unusable();
  if (const yaml::Node* ports = policy->Find("portLevelSettings"))
    for (const yaml::Node& entry : ports->items) {
      const yaml::Node* port = entry.Find("port");
      const yaml::Node* number = port ? port->Find("number") : nullptr;
      const auto value = number ? ParseUint(number->text) : std::nullopt;
      if (entry.Find("tls") && value && *value <= 65535)
        rule.policy.ports.emplace_back(static_cast<std::uint16_t>(*value), Unusable());
    }
  if (rule.policy == TrafficPolicy{}) return;
  reader.Error("spec.trafficPolicy", std::string("the rule cannot be read") + kRefused, "mend the rule");
  Keep(out, std::move(rule));
}

// The policy with its first entry for the port in place of what the entry may say.
TrafficPolicy AtPort(TrafficPolicy policy, std::uint16_t port) {
  const auto ports = std::exchange(policy.ports, {});
  const auto own = std::find_if(ports.begin(), ports.end(), [port](const auto& entry) { return entry.first == port; });
  if (own == ports.end()) return policy;
  policy.load_balancer = own->second.load_balancer;
  policy.connection_pool = own->second.connection_pool;
  policy.outlier_detection = own->second.outlier_detection;
  policy.tls = own->second.tls;
  return policy;
}
}  // namespace

TrafficPolicy PolicyForPort(const TrafficPolicy& host, const TrafficPolicy* subset, std::uint16_t port) {
  TrafficPolicy base = AtPort(host, port);
  if (!subset) return base;
  TrafficPolicy out = *subset;
  FallBack(out.load_balancer, base.load_balancer);
  FallBack(out.connection_pool, base.connection_pool);
  FallBack(out.outlier_detection, base.outlier_detection);
  FallBack(out.tls, base.tls);
  FallBack(out.retry_budget, base.retry_budget);
  return AtPort(std::move(out), port);
}

const Subset* DestinationRule::FindSubset(std::string_view name) const noexcept {
  for (const Subset& subset : subsets)
    if (subset.name == name) return &subset;
  return nullptr;
}

void DecodeDestinationRule(ObjectReader& reader, Decoded& out) {
  yaml::Node rest = reader.Spec();
  const yaml::Node* subsets = reader.Spec().Find("subsets");
  std::erase_if(rest.entries, [](const yaml::Entry& entry) { return entry.key == "subsets"; });
  net::DestinationRule message;
  if (!ReadMessage(reader, rest, message)) return KeepTlsAskedFor(reader, message, out);
  ReportUnhonoured(reader, message, "spec", Severity::kWarning);
  DestinationRule rule{.meta = reader.meta(), .host = message.host(), .host_at = {reader.At("spec.host")}};
  if (!CheckHost(reader, "spec.host", message.host(), true)) return;
  rule.export_to.assign(message.export_to().begin(), message.export_to().end());
  if (!CheckExportTo(reader, rule.export_to)) return KeepTlsAskedFor(reader, message, out);
  rule.workload_selector.insert(message.workload_selector().match_labels().begin(),
                                message.workload_selector().match_labels().end());
  PolicyReader policies(reader);
  policies.Read(message.traffic_policy(), "spec.trafficPolicy", rule.policy);
  for (std::size_t i = 0; subsets && i < subsets->items.size(); ++i) {
    const std::string path = Indexed("spec.subsets", i);
    net::Subset from;
    if (!ReadMessage(reader, subsets->items[i], from)) continue;
    ReportUnhonoured(reader, from, path, Severity::kWarning);
    Subset subset{.name = from.name(), .at = reader.At(path)};
    subset.labels.insert(from.labels().begin(), from.labels().end());
    if (from.name().empty()) {
      reader.Error(path, "a subset needs a name");
    } else if (rule.FindSubset(from.name())) {
      reader.Error(path + ".name", "the subset \"" + from.name() + "\" stands twice");
    } else {
      policies.Read(from.traffic_policy(), path + ".trafficPolicy", subset.policy, &rule.policy);
      rule.subsets.push_back(std::move(subset));
    }
  }
  Keep(out, std::move(rule));
}

}  // namespace plait::control::model
