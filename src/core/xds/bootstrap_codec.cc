#include <google/protobuf/util/json_util.h>

#include <set>

#include "core/base/strings.h"
#include "core/io/bounded_file.h"
#include "core/xds/access_log_codec.h"
#include "core/xds/cluster_codec.h"
#include "core/xds/common_codec.h"
#include "core/xds/decode.h"
#include "core/xds/listener_codec.h"
#include "core/xds/named_types.h"
#include "core/xds/tls_codec.h"
#include "core/yaml/message.h"
#include "core/yaml/parse.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "plait/proxy/v1/identity.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::bootstrap::v3;
using At = DecodeContext::At;
constexpr std::string_view kHeaderPrefix = "x-envoy";
constexpr std::size_t kMaxFile = std::size_t{256} << 20;

Node DecodeNode(const envoy::config::core::v3::Node& in, DecodeContext& context) {
  const At at(context, "node");
  context.Honours(in, {"id", "cluster", "metadata", "locality", "user_agent_name", "user_agent_version"});
  Node out;
  out.id = in.id();
  out.cluster = in.cluster();
  out.locality = DecodeLocality(in.locality(), context);
  if (in.has_metadata()) (void)google::protobuf::util::MessageToJsonString(in.metadata(), &out.metadata_json);
  for (const auto& [key, value] : in.metadata().fields()) {
    if (value.has_string_value()) out.metadata[key] = value.string_value();
    if (key != "LABELS") continue;
    for (const auto& [label, text] : value.struct_value().fields()) out.labels[label] = text.string_value();
  }
  return out;
}

// As gRPC names a key of metadata.
bool IsMetadataKey(std::string_view name) {
  return !name.empty() && !name.starts_with("grpc-") &&
         name.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz_-.") == std::string_view::npos;
}

void DecodeInitialMetadata(const envoy::config::core::v3::GrpcService& in, GrpcTarget& out, DecodeContext& context) {
  for (int i = 0; i < in.initial_metadata_size(); ++i) {
    const At at(context, "initial_metadata", i);
    const auto& header = in.initial_metadata(i);
    context.Honours(header, {"key", "value"});
    std::string name = ToLower(header.key());
    if (!IsMetadataKey(name)) context.Reject("key \"" + header.key() + "\" is no name of a header that may be sent");
    if (header.value().find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos)
      context.Reject("value: has a line break or NUL");
    if (header.value().find('%') != std::string::npos) context.Reject("value: formats (%...%) are not implemented");
    out.initial_metadata.emplace_back(std::move(name), header.value());
  }
}

void DecodeBackOff(const envoy::config::core::v3::GrpcService::EnvoyGrpc& in, GrpcTarget& out, DecodeContext& context) {
  if (!in.retry_policy().has_retry_back_off()) return;
  const At at(context, "retry_policy");
  context.Honours(in.retry_policy(), {"retry_back_off"});
  const At back_off(context, "retry_back_off");
  const auto& from = in.retry_policy().retry_back_off();
  context.Honours(from, {"base_interval", "max_interval"});
  constexpr Duration kLeast = std::chrono::milliseconds(1), kMost = std::chrono::hours(24);
  constexpr int kLongestByDefault = 10;  // times the first, as in Envoy
  out.first_back_off = DecodeDuration(from.base_interval(), context);
  if (out.first_back_off < kLeast || out.first_back_off > kMost)
    context.Reject("base_interval must be 1 ms to 24 hours");
  out.longest_back_off =
      from.has_max_interval() ? DecodeDuration(from.max_interval(), context) : out.first_back_off * kLongestByDefault;
  if (out.longest_back_off < out.first_back_off) context.Reject("max_interval must not be below base_interval");
}

DynamicResources DecodeDynamic(const pb::Bootstrap::DynamicResources& in, DecodeContext& context) {
  const At at(context, "dynamic_resources");
  context.Honours(in, {"lds_config", "cds_config", "ads_config"});
  DynamicResources out;
  if (in.has_lds_config()) out.lds = IsAds(in.lds_config(), context);
  if (in.has_cds_config()) out.cds = IsAds(in.cds_config(), context);
  if (in.lds_config().has_initial_fetch_timeout())
    out.initial_fetch_timeout = DecodeDuration(in.lds_config().initial_fetch_timeout(), context);
  if (!in.has_ads_config()) return out;
  const At ads(context, "ads_config");
  const auto& config = in.ads_config();
  context.Honours(config, {"api_type", "transport_api_version", "grpc_services", "set_node_on_first_message_only"});
  if (config.api_type() != envoy::config::core::v3::ApiConfigSource::DELTA_GRPC)
    context.Reject("api_type must be DELTA_GRPC");
  if (config.grpc_services_size() != 1 || !config.grpc_services(0).has_envoy_grpc()) {
    context.Reject("exactly one grpc_services entry with envoy_grpc is expected");
    return out;
  }
  const auto& service = config.grpc_services(0);
  context.Honours(service, {"envoy_grpc", "initial_metadata"});
  context.Honours(service.envoy_grpc(), {"cluster_name", "authority", "retry_policy"});
  GrpcTarget target{.cluster = service.envoy_grpc().cluster_name(),
                    .authority = service.envoy_grpc().authority(),
                    .initial_metadata = {}};
  DecodeInitialMetadata(service, target, context);
  DecodeBackOff(service.envoy_grpc(), target, context);
  out.ads = std::move(target);
  return out;
}

std::optional<IdentityConfig> DecodeIdentity(const pb::Bootstrap& in, DecodeContext& context) {
  std::optional<IdentityConfig> out;
  for (int i = 0; i < in.bootstrap_extensions_size(); ++i) {
    const At at(context, "bootstrap_extensions", i);
    const auto& extension = in.bootstrap_extensions(i);
    context.Honours(extension, {"name", "typed_config"});
    ::plait::proxy::v1::Identity identity;
    if (TypeOf(extension.typed_config()) != identity.GetTypeName()) {
      context.Reject("bootstrap extension of type \"" + std::string(TypeOf(extension.typed_config())) +
                     "\" is not implemented");
      continue;
    }
    if (!Unpack(extension.typed_config(), identity, context)) continue;
    context.Honours(identity, {"ca_cluster", "token_path", "root_path", "spiffe_id", "ttl", "key_type"});
    out.emplace();
    out->ca_cluster = identity.ca_cluster();
    out->token_path = identity.token_path();
    out->root_path = identity.root_path();
    out->spiffe_id = identity.spiffe_id();
    if (identity.has_ttl()) out->ttl = DecodeDuration(identity.ttl(), context);
    out->key_type = identity.key_type() == ::plait::proxy::v1::Identity::RSA2048 ? IdentityConfig::KeyType::kRsa2048
                                                                                 : IdentityConfig::KeyType::kP256;
    if (out->ca_cluster.empty()) context.Reject("ca_cluster is empty");
  }
  return out;
}

template <class T, class Message, class Decoder>
void DecodeStatic(std::string_view field, const google::protobuf::RepeatedPtrField<Message>& list, Decoder decode,
                  std::vector<Resource<T>>& out, DecodeContext& context) {
  for (int i = 0; i < list.size(); ++i) {
    const At at(context, field, i);
    T value = decode(list[i], context);
    std::string name = value.name;
    out.push_back({.name = std::move(name),
                   .version = {},
                   .bytes = list[i].SerializeAsString(),
                   .value = std::make_shared<const T>(std::move(value))});
  }
}

// Keys that only steer Envoy's own implementation may stand in static layers; Plait has no runtime, so others are
// refused.
void CheckRuntime(const pb::LayeredRuntime& in, DecodeContext& context) {
  const At at(context, "layered_runtime");
  for (const auto& layer : in.layers()) {
    if (layer.has_disk_layer() || layer.has_rtds_layer())
      context.Reject("only static_layer and admin_layer are implemented");
    for (const auto& [key, value] : layer.static_layer().fields())
      if (!key.starts_with("envoy.") && !key.starts_with("re2."))
        context.Reject("static_layer: key \"" + key + "\" is not implemented");
  }
}

// Names that must be unique, and names that must be there.
void CheckReferences(const Bootstrap& in, DecodeContext& context) {
  std::set<std::string> clusters, listeners;
  for (const auto& cluster : in.clusters)
    if (!clusters.insert(cluster.name).second)
      context.Reject("static_resources: cluster \"" + cluster.name + "\" stands twice");
  for (const auto& listener : in.listeners)
    if (!listeners.insert(listener.name).second)
      context.Reject("static_resources: listener \"" + listener.name + "\" stands twice");
  if (in.dynamic.ads && !clusters.contains(in.dynamic.ads->cluster))
    context.Reject("dynamic_resources.ads_config: cluster \"" + in.dynamic.ads->cluster +
                   "\" is not in static_resources");
  if ((in.dynamic.lds || in.dynamic.cds) && !in.dynamic.ads)
    context.Reject("dynamic_resources: lds_config and cds_config need ads_config");
  if (in.identity && !in.identity->token_path.empty() && in.dynamic.ads)
    for (const auto& [name, value] : in.dynamic.ads->initial_metadata)
      if (name == "authorization")
        context.Reject(
            "dynamic_resources.ads_config: initial_metadata authorization: plait.identity sends its token there");
  if (in.identity && !clusters.contains(in.identity->ca_cluster))
    context.Reject("plait.identity: ca_cluster \"" + in.identity->ca_cluster + "\" is not in static_resources");
}

Bootstrap DecodeBootstrap(const pb::Bootstrap& in, DecodeContext& context) {
  context.Honours(in,
                  {"node", "admin", "static_resources", "dynamic_resources", "bootstrap_extensions", "header_prefix"});
  Bootstrap out;
  out.node = DecodeNode(in.node(), context);
  if (in.has_admin()) {
    const At at(context, "admin");
    context.Honours(in.admin(), {"address", "access_log"});
    for (const auto& log : in.admin().access_log()) out.admin.access_logs.push_back(DecodeAccessLog(log, context));
    if (in.admin().has_address()) out.admin.address = DecodeAddress(in.admin().address(), context);
  }
  {
    const At at(context, "static_resources");
    context.Honours(in.static_resources(), {"listeners", "clusters", "secrets"});
    DecodeStatic("listeners", in.static_resources().listeners(), DecodeListenerMessage, out.listeners, context);
    DecodeStatic("clusters", in.static_resources().clusters(), DecodeClusterMessage, out.clusters, context);
    DecodeStatic("secrets", in.static_resources().secrets(), DecodeSecretMessage, out.secrets, context);
  }
  if (in.has_dynamic_resources()) out.dynamic = DecodeDynamic(in.dynamic_resources(), context);
  out.identity = DecodeIdentity(in, context);
  CheckRuntime(in.layered_runtime(), context);
  CheckReferences(out, context);
  if (!in.header_prefix().empty() && in.header_prefix() != kHeaderPrefix)
    context.Reject("header_prefix: only \"" + std::string(kHeaderPrefix) + "\" is implemented");
  out.bytes = in.SerializeAsString();
  return out;
}

Outcome<pb::Bootstrap> ReadMessage(std::string_view text, const std::string& file) {
  const auto document = yaml::ParseOne(text, file);
  if (!document) return std::unexpected(document.error());
  LinkNamedTypes();
  pb::Bootstrap message;
  if (Diagnostics problems = yaml::Decode(*document, file, message); !problems.empty())
    return std::unexpected(std::move(problems.front()));
  return message;
}

Outcome<Bootstrap> Understand(const pb::Bootstrap& message, const std::string& file) {
  DecodeContext context("bootstrap", /*is_static=*/true);
  Bootstrap out = DecodeBootstrap(message, context);
  context.Finish();
  if (context.ok()) return out;
  Diagnostic problem = context.TakeProblem();
  problem.at.file = file;
  return std::unexpected(std::move(problem));
}

}  // namespace

Outcome<Bootstrap> ReadBootstrap(std::string_view text, const std::string& file) {
  const auto message = ReadMessage(text, file);
  if (!message) return std::unexpected(message.error());
  return Understand(*message, file);
}

Outcome<Bootstrap> ReadBootstrapFile(const std::string& path, std::string_view more) {
  const Outcome<std::string> text = io::ReadBounded(path, kMaxFile, io::Pipes::kRead);
  if (!text) return std::unexpected(text.error());
  if (more.empty()) return ReadBootstrap(*text, path);
  auto message = ReadMessage(*text, path);
  if (!message) return std::unexpected(message.error());
  const auto over = ReadMessage(more, "--config-yaml");
  if (!over) return std::unexpected(over.error());
  message->MergeFrom(*over);
  return Understand(*message, path + " with --config-yaml");
}

}  // namespace plait::xds
