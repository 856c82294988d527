#include <google/protobuf/descriptor.h>
#include <mesh/v1alpha1/config.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/protobuf_reading.h"
#include "core/yaml/parse.h"

namespace plait::control::model {
namespace {
namespace mesh = istio::mesh::v1alpha1;
namespace pb = google::protobuf;

// What ToMeshConfig reads, and what says what Plait does anyway; all else that is set gets a warning.
constexpr std::string_view kHonoured[] = {"trust_domain",
                                          "trust_domain_aliases",
                                          "root_namespace",
                                          "outbound_traffic_policy",
                                          "enable_auto_mtls",
                                          "connect_timeout",
                                          "protocol_detection_timeout",
                                          "access_log_file",
                                          "access_log_format",
                                          "access_log_encoding",
                                          "default_service_export_to",
                                          "default_virtual_service_export_to",
                                          "default_destination_rule_export_to",
                                          "default_http_retry_policy",
                                          "mesh_mTLS",
                                          "path_normalization",
                                          "default_config",
                                          "enable_prometheus_merge",
                                          "enable_tracing",
                                          "ingress_class",
                                          "ingress_service",
                                          "ingress_controller_mode"};
constexpr std::string_view kHonouredOfProxy[] = {
    "concurrency", "gateway_topology", "tracing", "discovery_address", "hold_application_until_proxy_starts",
    "config_path"};

template <std::size_t N>
void WarnOthers(ObjectReader& reader, const pb::Message& message, const std::string_view (&honoured)[N],
                const std::string& where) {
  std::vector<const pb::FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields)
    if (std::find(std::begin(honoured), std::end(honoured), field->name()) == std::end(honoured))
      reader.Warning("data.mesh",
                     "\"" + where + field->json_name() + "\" of the mesh configuration is not honoured yet");
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
  if (from.has_protocol_detection_timeout() && ToDuration(from.protocol_detection_timeout()) > Duration::zero())
    to.detection_timeout = ToDuration(from.protocol_detection_timeout());
  to.access_log_file = from.access_log_file();
  to.access_log_format = from.access_log_format();
  to.access_log_json = from.access_log_encoding() == mesh::MeshConfig::JSON;
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
  ReadDefaultConfig(from.default_config(), to);
  return to;
}
}  // namespace

std::optional<MeshConfig> DecodeMeshConfig(ObjectReader& reader, const yaml::Node& text) {
  // The text of a block scalar begins on the line after its key; columns inside it are not the file's.
  const auto shift = [&](Diagnostic error) {
    error.at = {reader.file(), error.at.line + text.at.line, 0};
    error.message.insert(0, "mesh configuration: ");
    reader.Report(std::move(error));
    return std::nullopt;
  };
  auto documents = yaml::ParseAll(text.text, reader.file());
  if (!documents) return shift(documents.error());
  mesh::MeshConfig message;
  if (documents->empty()) return MeshConfig{};
  if (documents->size() > 1) return shift({.message = "one document is expected", .at = {}});
  Diagnostics errors = yaml::Decode(documents->front(), reader.file(), message);
  for (Diagnostic& error : errors) shift(std::move(error));
  if (!errors.empty()) return std::nullopt;
  WarnOthers(reader, message, kHonoured, "");
  WarnOthers(reader, message.default_config(), kHonouredOfProxy, "defaultConfig.");
  return ToMeshConfig(message);
}

}  // namespace plait::control::model
