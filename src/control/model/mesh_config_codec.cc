#include <google/protobuf/descriptor.h>
#include <mesh/v1alpha1/config.pb.h>
#include <mesh/v1alpha1/network.pb.h>

#include <algorithm>
#include <map>
#include <span>

#include "control/model/checks.h"
#include "control/model/locality_reading.h"
#include "control/model/protobuf_reading.h"
#include "core/base/workers.h"
#include "core/tls/key_exchange.h"
#include "core/xds/command_operators.h"
#include "core/xds/json_format.h"
#include "core/yaml/parse.h"

namespace plait::control::model {
namespace {
namespace mesh = istio::mesh::v1alpha1;
namespace pb = google::protobuf;

// What ToMeshConfig reads, and what says what Plait does anyway; all else that is set gets a warning. With a dot: of a
// message only this.
constexpr std::string_view kHonoured[] = {"trust_domain",
                                          "trust_domain_aliases",
                                          "root_namespace",
                                          "outbound_traffic_policy.mode",
                                          "enable_auto_mtls",
                                          "connect_timeout",
                                          "dns_refresh_rate",
                                          "protocol_detection_timeout",
                                          "access_log_file",
                                          "access_log_format",
                                          "access_log_encoding",
                                          "default_service_export_to",
                                          "default_virtual_service_export_to",
                                          "default_destination_rule_export_to",
                                          "default_http_retry_policy.attempts",
                                          "default_http_retry_policy.retry_on",
                                          "default_http_retry_policy.per_try_timeout",
                                          "default_http_retry_policy.backoff",
                                          "mesh_mTLS.min_protocol_version",
                                          "mesh_mTLS.ecdh_curves",
                                          "path_normalization.normalization",
                                          "locality_lb_setting",
                                          "default_config",
                                          "enable_prometheus_merge",
                                          "enable_tracing",
                                          "ingress_class",
                                          "ingress_service",
                                          "ingress_controller_mode"};
constexpr std::string_view kHonouredOfProxy[] = {
    "concurrency",       "gateway_topology.num_trusted_proxies", "tracing.sampling",
    "discovery_address", "hold_application_until_proxy_starts",  "config_path"};

// The same of the annotation proxy.istio.io/config, which has SECRET_TTL in `proxyMetadata` as well
// (local/certificate_ttl.h).
constexpr std::string_view kHonouredOfAnnotation[] = {"discovery_address", "hold_application_until_proxy_starts",
                                                      "config_path", "proxy_metadata"};

bool IsListed(std::span<const std::string_view> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool HasListedParts(std::span<const std::string_view> names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view one) { return one.starts_with(name + "."); });
}

void AssignUnlessEmpty(std::vector<std::string>& to, const pb::RepeatedPtrField<std::string>& from) {
  if (!from.empty()) to.assign(from.begin(), from.end());
}

MeshConfig::PathNormalization ToNormalization(mesh::MeshConfig::ProxyPathNormalization::NormalizationType type) {
  using From = mesh::MeshConfig::ProxyPathNormalization;
  switch (type) {
    case From::NONE: return MeshConfig::PathNormalization::kNone;
    case From::MERGE_SLASHES: return MeshConfig::PathNormalization::kMergeSlashes;
    case From::DECODE_AND_MERGE_SLASHES: return MeshConfig::PathNormalization::kDecodeAndMerge;
    default: return MeshConfig::PathNormalization::kBase;
  }
}

void ReadDefaultConfig(const mesh::ProxyConfig& from, MeshConfig& to) {
  if (from.has_concurrency()) to.concurrency = static_cast<std::uint32_t>(std::max(0, from.concurrency().value()));
  to.trusted_proxies = from.gateway_topology().num_trusted_proxies();
  if (from.tracing().sampling() > 0)
    to.tracing_sampling_per_million = static_cast<std::uint32_t>(from.tracing().sampling() * 10'000);
}

MeshConfig ToMeshConfig(const mesh::MeshConfig& from) {
  MeshConfig to;
  if (!from.trust_domain().empty()) to.trust_domain = from.trust_domain();
  to.trust_domain_aliases.assign(from.trust_domain_aliases().begin(), from.trust_domain_aliases().end());
  if (!from.root_namespace().empty()) to.root_namespace = from.root_namespace();
  to.registry_only = from.has_outbound_traffic_policy() &&
                     from.outbound_traffic_policy().mode() == mesh::MeshConfig::OutboundTrafficPolicy::REGISTRY_ONLY;
  if (from.has_enable_auto_mtls()) to.auto_mtls = from.enable_auto_mtls().value();
  if (from.has_connect_timeout()) to.connect_timeout = ToDuration(from.connect_timeout());
  if (from.has_dns_refresh_rate()) to.dns_refresh_rate = ToDuration(from.dns_refresh_rate());
  if (from.has_protocol_detection_timeout() && ToDuration(from.protocol_detection_timeout()) > Duration::zero())
    to.detection_timeout = ToDuration(from.protocol_detection_timeout());
  to.access_log_file = from.access_log_file();
  to.access_log_json = from.access_log_encoding() == mesh::MeshConfig::JSON;
  if (!to.access_log_json) {
    to.access_log_format = from.access_log_format();
  } else if (auto format = xds::ParseJsonFormat(from.access_log_format())) {
    to.access_log_json_format = *std::move(format);
  }
  AssignUnlessEmpty(to.default_service_export_to, from.default_service_export_to());
  AssignUnlessEmpty(to.default_virtual_service_export_to, from.default_virtual_service_export_to());
  AssignUnlessEmpty(to.default_destination_rule_export_to, from.default_destination_rule_export_to());
  if (from.has_default_http_retry_policy()) {
    const auto& retry = from.default_http_retry_policy();
    HttpRetry& out = to.default_retry.emplace();
    out.attempts = static_cast<std::uint32_t>(std::max(0, retry.attempts()));
    out.retry_on = retry.retry_on();
    if (retry.has_per_try_timeout()) out.per_try_timeout = ToDuration(retry.per_try_timeout());
    if (retry.has_backoff()) out.backoff = ToDuration(retry.backoff());
  }
  to.ecdh_curves.assign(from.mesh_mtls().ecdh_curves().begin(), from.mesh_mtls().ecdh_curves().end());
  to.minimum_tls13 = from.mesh_mtls().min_protocol_version() == mesh::MeshConfig::TLSConfig::TLSV1_3;
  if (from.has_path_normalization()) to.path_normalization = ToNormalization(from.path_normalization().normalization());
  to.locality = ToLocalityBalancing(from.locality_lb_setting());
  ReadDefaultConfig(from.default_config(), to);
  return to;
}

// A YAML document in the text of a scalar.
class EmbeddedDocument {
 public:
  // `kind`: of which `plait docs configuration` tells.
  EmbeddedDocument(ObjectReader& reader, const yaml::Node& text, std::string what, std::string_view kind)
      : reader_(reader), text_(text), what_(std::move(what)), listed_(ObjectReader::FieldsListedOf(kind)) {}

  // False after an error, which is reported. An empty text is an empty message.
  bool Read(pb::Message& message) {
    auto documents = yaml::ParseText(text_, reader_.file());
    if (!documents) return Fail(documents.error());
    if (documents->size() > 1)
      return Fail({.message = "one document is expected",
                   .at = yaml::At(reader_.file(), (*documents)[1].at),
                   .hint = "remove it, or put it into the one before"});
    if (documents->empty()) return true;
    document_ = std::move(documents->front());
    Diagnostics errors = yaml::Decode(document_, reader_.file(), message, {.fields_listed = listed_});
    for (Diagnostic& error : errors) Fail(std::move(error));
    return errors.empty();
  }

  void Warn(const std::string& path) {
    const yaml::Mark at = yaml::MarkAt(document_, path);
    reader_.Report(Severity::kWarning, text_.HasPlaces() ? at : text_.at,
                   "\"" + path + "\" of the " + what_ + " is not honoured yet", "remove it; " + listed_, "IST0133");
  }

  bool Fail(std::string_view path, std::string message, std::string hint) {
    return Fail({.message = std::move(message),
                 .at = yaml::At(reader_.file(), yaml::MarkAt(document_, path)),
                 .hint = std::move(hint)});
  }

 private:
  bool Fail(Diagnostic error) {
    std::string where = what_ + ": ";
    if (!text_.HasPlaces() && error.at.line != 0)
      where +=
          "line " + std::to_string(error.at.line) + ", column " + std::to_string(error.at.column) + " of this text: ";
    if (!text_.HasPlaces() || error.at.line == 0) error.at = yaml::At(reader_.file(), text_.at);
    error.message.insert(0, where);
    reader_.Report(std::move(error));
    return false;
  }

  ObjectReader& reader_;
  const yaml::Node& text_;
  const std::string what_;
  const std::string listed_;
  yaml::Node document_;
};

// `tell` hears of each field that is there and not honoured. `name` and `where` lead to the message, as protobuf and as
// JSON name it.
template <class Tell>
void TellOthers(const pb::Message& message, std::span<const std::string_view> honoured, const std::string& name,
                const std::string& where, const Tell& tell) {
  std::vector<const pb::FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    const std::string own = name + field->name();
    const std::string place = where + field->json_name();
    if (IsListed(honoured, own)) continue;
    if (HasListedParts(honoured, own))
      TellOthers(message.GetReflection()->GetMessage(message, field), honoured, own + ".", place + ".", tell);
    else
      tell(place);
  }
}

bool ReadGateway(EmbeddedDocument& document, const mesh::Network::IstioNetworkGateway& from, const std::string& path,
                 MeshNetwork::Gateway& to) {
  if (from.port() > 65535)
    return document.Fail(path + ".port", "port " + std::to_string(from.port()) + " is outside 1..65535",
                         "write the number of a TCP port");
  if (!from.locality().empty()) document.Warn(path + ".locality");
  if (from.port() != 0) to.port = static_cast<std::uint16_t>(from.port());
  if (from.has_registry_service_name()) {
    to.service = from.registry_service_name();
    return !to.service.empty() || document.Fail(path, "registryServiceName is empty", "name a host of the mesh");
  }
  const auto ip = io::IpAddress::Parse(from.address());
  if (!ip)
    return document.Fail(path + ".address", "\"" + from.address() + "\" is not an IP address",
                         "name an address, or a service in registryServiceName");
  to.address = *ip;
  return true;
}

bool ReadNetwork(EmbeddedDocument& document, const mesh::Network& from, const std::string& path, MeshNetwork& to) {
  for (int i = 0; i < from.endpoints_size(); ++i) {
    const auto& endpoints = from.endpoints(i);
    const std::string at = Indexed(path + ".endpoints", static_cast<std::size_t>(i));
    if (endpoints.has_from_registry()) {
      to.registries.push_back(endpoints.from_registry());
      continue;
    }
    const auto range = io::Cidr::Parse(endpoints.from_cidr());
    if (!range)
      return document.Fail(at, "\"" + endpoints.from_cidr() + "\" is neither an IP address nor a CIDR range",
                           "write fromCidr, e.g. 10.0.0.0/8, or fromRegistry");
    to.ranges.push_back(*range);
  }
  for (int i = 0; i < from.gateways_size(); ++i)
    if (!ReadGateway(document, from.gateways(i), Indexed(path + ".gateways", static_cast<std::size_t>(i)),
                     to.gateways.emplace_back()))
      return false;
  return true;
}

// Drops what proxies would refuse all listeners or clusters for, or could not begin with: the default stands in its
// place, and the rest is in force.
class RefusedValues {
 public:
  RefusedValues(EmbeddedDocument& document, mesh::MeshConfig& message) : document_(document), message_(message) {}

  void Drop() {
    DropTimes();
    DropAccessLog();
    DropRetryPolicy();
    auto& curves = *message_.mutable_mesh_mtls()->mutable_ecdh_curves();
    for (int i = 0; i < curves.size(); ++i) {
      if (tls::IsKeyExchangeGroup(curves[i])) continue;
      Tell(Indexed("meshMTLS.ecdhCurves", static_cast<std::size_t>(i)),
           "\"" + curves[i] + "\" is no key exchange group", "e.g. " + std::string(tls::kSomeGroups));
      curves.Clear();
    }
    DropLocality();
    DropDefaultConfig();
  }

 private:
  void Tell(std::string_view path, std::string message, std::string hint) {
    document_.Fail(path, std::move(message), std::move(hint));
  }

  void DropTimes() {
    if (message_.has_dns_refresh_rate() && ToDuration(message_.dns_refresh_rate()) <= std::chrono::milliseconds(1)) {
      Tell("dnsRefreshRate", "dnsRefreshRate must be above 1 ms", "60s is the default");
      message_.clear_dns_refresh_rate();
    }
    if (message_.has_connect_timeout() && ToDuration(message_.connect_timeout()) <= Duration::zero()) {
      Tell("connectTimeout", "connectTimeout must be above 0", "10s is the default");
      message_.clear_connect_timeout();
    }
  }

  void DropAccessLog() {
    const std::string& file = message_.access_log_file();
    if (!file.empty() && (!file.starts_with('/') || file.find('\0') != std::string::npos)) {
      Tell("accessLogFile", "accessLogFile \"" + file + "\" is no absolute path",
           "/dev/stdout is the log of the proxy itself");
      message_.clear_access_log_file();
    }
    if (message_.access_log_format().empty()) return;
    const bool json = message_.access_log_encoding() == mesh::MeshConfig::JSON;
    const Outcome<void> checked = json ? Checked(xds::ParseJsonFormat(message_.access_log_format()))
                                       : Checked(xds::ParseFormat(message_.access_log_format()));
    if (checked) return;
    Tell("accessLogFormat", "accessLogFormat: " + checked.error().message, checked.error().hint);
    message_.clear_access_log_format();
  }

  template <class Value>
  static Outcome<void> Checked(const Outcome<Value>& parsed) {
    if (!parsed) return std::unexpected(parsed.error());
    return {};
  }

  void DropRetryPolicy() {
    if (!message_.has_default_http_retry_policy()) return;
    auto& retry = *message_.mutable_default_http_retry_policy();
    if (retry.attempts() < 0) {
      Tell("defaultHttpRetryPolicy.attempts", "defaultHttpRetryPolicy.attempts is negative", "0 turns retries off");
      retry.clear_attempts();
    }
    if (retry.has_per_try_timeout() && ToDuration(retry.per_try_timeout()) < Duration::zero()) {
      Tell("defaultHttpRetryPolicy.perTryTimeout", "defaultHttpRetryPolicy.perTryTimeout is negative", "e.g. 2s");
      retry.clear_per_try_timeout();
    }
    if (retry.has_backoff() && ToDuration(retry.backoff()) <= Duration::zero()) {
      Tell("defaultHttpRetryPolicy.backoff", "defaultHttpRetryPolicy.backoff must be above 0", "25ms is the default");
      retry.clear_backoff();
    }
  }

  void DropLocality() {
    const auto problem = ProblemOf(message_.locality_lb_setting());
    if (!problem) return;
    Tell("localityLbSetting" + problem->path, "localityLbSetting: " + problem->message, problem->hint);
    message_.clear_locality_lb_setting();
  }

  void DropDefaultConfig() {
    auto& config = *message_.mutable_default_config();
    const std::int32_t workers = config.concurrency().value();
    if (workers < 0 || static_cast<std::uint32_t>(workers) > kMostWorkers) {
      Tell("defaultConfig.concurrency",
           "concurrency " + std::to_string(workers) + " is outside 0.." + std::to_string(kMostWorkers),
           "it is the number of worker threads of each proxy");
      config.clear_concurrency();
    }
    const double sampling = config.tracing().sampling();
    if (sampling >= 0 && sampling <= 100) return;
    Tell("defaultConfig.tracing.sampling", "sampling must be between 0 and 100", "100 is every request");
    config.mutable_tracing()->clear_sampling();
  }

  EmbeddedDocument& document_;
  mesh::MeshConfig& message_;
};
}  // namespace

std::optional<MeshConfig> DecodeMeshConfig(ObjectReader& reader, const yaml::Node& text) {
  mesh::MeshConfig message;
  EmbeddedDocument document(reader, text, "mesh configuration", "MeshConfig");
  if (!document.Read(message)) return std::nullopt;
  RefusedValues(document, message).Drop();
  const auto warn = [&](const std::string& field) { document.Warn(field); };
  TellOthers(message, kHonoured, "", "", warn);
  if (!message.locality_lb_setting().distribute().empty() && !message.locality_lb_setting().failover_priority().empty())
    warn("localityLbSetting.failoverPriority");
  TellOthers(message.default_config(), kHonouredOfProxy, "", "defaultConfig.", warn);
  return ToMeshConfig(message);
}

void CheckProxyConfig(ObjectReader& reader, const std::string& path) {
  const yaml::Node& annotations = yaml::Locate(reader.root(), path);
  const yaml::Node* text = annotations.Find("proxy.istio.io/config");
  const auto documents = text ? yaml::ParseText(*text, reader.file()) : std::vector<yaml::Node>{};
  if (!documents || documents->empty()) return;  // what cannot be read keeps the pod from starting, which is told there
  const auto tell = [&](const yaml::Mark& at, const std::string& message, std::string hint) {
    reader.Report(Severity::kWarning, text->HasPlaces() ? at : text->at, "proxy.istio.io/config: " + message,
                  std::move(hint), "IST0133");
  };
  const auto ignored = [&](const std::string& name) {
    tell(yaml::MarkAt(documents->front(), name), "\"" + name + "\" is not honoured yet",
         "remove it, or set it for all proxies in MeshConfig.defaultConfig; " +
             ObjectReader::FieldsListedOf("MeshConfig"));
  };
  mesh::ProxyConfig message;
  for (const Diagnostic& error : yaml::Decode(documents->front(), reader.file(), message, {}))
    tell({.line = error.at.line, .column = error.at.column}, error.message, error.hint);
  TellOthers(message, kHonouredOfAnnotation, "", "", ignored);
  const std::map<std::string, std::string> sorted(message.proxy_metadata().begin(), message.proxy_metadata().end());
  for (const auto& [name, value] : sorted)
    if (name != "SECRET_TTL") ignored("proxyMetadata." + name);
}

std::optional<std::vector<MeshNetwork>> DecodeMeshNetworks(ObjectReader& reader, const yaml::Node& text) {
  mesh::MeshNetworks message;
  EmbeddedDocument document(reader, text, "mesh networks", "MeshNetworks");
  if (!document.Read(message)) return std::nullopt;
  std::vector<MeshNetwork> out;
  const std::map<std::string, mesh::Network> sorted(message.networks().begin(), message.networks().end());
  for (const auto& [name, network] : sorted) {
    out.push_back({.name = name});
    if (!ReadNetwork(document, network, "networks." + name, out.back())) return std::nullopt;
  }
  return out;
}

}  // namespace plait::control::model
