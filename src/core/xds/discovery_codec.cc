#include <google/protobuf/util/json_util.h>

#include "core/xds/discovery.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::service::discovery::v3;

void EncodeNode(const Node& node, envoy::config::core::v3::Node& out) {
  out.set_id(node.id);
  out.set_cluster(node.cluster);
  out.set_user_agent_name(node.user_agent_name);
  out.set_user_agent_version(node.user_agent_version);
  out.mutable_locality()->set_region(node.locality.region);
  out.mutable_locality()->set_zone(node.locality.zone);
  out.mutable_locality()->set_sub_zone(node.locality.sub_zone);
  if (!node.metadata_json.empty())
    (void)google::protobuf::util::JsonStringToMessage(node.metadata_json, out.mutable_metadata());
}

Node DecodeNode(const envoy::config::core::v3::Node& node) {
  Node out;
  out.id = node.id();
  out.cluster = node.cluster();
  out.user_agent_name = node.user_agent_name();
  out.user_agent_version = node.user_agent_version();
  out.locality = {
      .region = node.locality().region(), .zone = node.locality().zone(), .sub_zone = node.locality().sub_zone()};
  if (node.has_metadata()) (void)google::protobuf::util::MessageToJsonString(node.metadata(), &out.metadata_json);
  for (const auto& extension : node.extensions())
    out.extension_types.insert(out.extension_types.end(), extension.type_urls().begin(), extension.type_urls().end());
  for (const auto& [key, value] : node.metadata().fields()) {
    if (value.has_string_value()) out.metadata[key] = value.string_value();
    if (key != "LABELS") continue;
    for (const auto& [label, text] : value.struct_value().fields()) out.labels[label] = text.string_value();
  }
  return out;
}

template <class Message>
void SetError(const std::optional<std::string>& error, Message& out) {
  if (!error) return;
  out.mutable_error_detail()->set_code(3);  // INVALID_ARGUMENT
  out.mutable_error_detail()->set_message(*error);
}

// What is longer than the clock counts, or no duration at all, never ends.
Duration TtlOf(const google::protobuf::Duration& in) {
  constexpr std::int64_t kMost = 100L * 365 * 24 * 60 * 60;
  if (in.seconds() < 0 || in.nanos() < 0 || in.seconds() > kMost) return std::chrono::seconds(kMost);
  return std::chrono::seconds(in.seconds()) + std::chrono::nanoseconds(in.nanos());
}

template <class Message>
bool Parse(Message& message, std::string_view bytes) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string EncodeDeltaRequest(const DeltaRequest& request) {
  pb::DeltaDiscoveryRequest out;
  if (request.node) EncodeNode(*request.node, *out.mutable_node());
  out.set_type_url(request.type_url);
  for (const std::string& name : request.subscribe) out.add_resource_names_subscribe(name);
  for (const std::string& name : request.unsubscribe) out.add_resource_names_unsubscribe(name);
  for (const auto& [name, version] : request.initial_versions)
    (*out.mutable_initial_resource_versions())[name] = version;
  out.set_response_nonce(request.response_nonce);
  SetError(request.error, out);
  return out.SerializeAsString();
}

Result<DeltaRequest> DecodeDeltaRequest(std::string_view bytes) {
  pb::DeltaDiscoveryRequest in;
  if (!Parse(in, bytes)) return Fail(Errc::kInvalidInput, "not a DeltaDiscoveryRequest");
  DeltaRequest out;
  if (in.has_node()) out.node = DecodeNode(in.node());
  out.type_url = in.type_url();
  out.subscribe = {in.resource_names_subscribe().begin(), in.resource_names_subscribe().end()};
  out.unsubscribe = {in.resource_names_unsubscribe().begin(), in.resource_names_unsubscribe().end()};
  for (const auto& [name, version] : in.initial_resource_versions()) out.initial_versions[name] = version;
  out.response_nonce = in.response_nonce();
  if (in.has_error_detail()) out.error = in.error_detail().message();
  return out;
}

Result<DeltaResponse> DecodeDeltaResponse(std::string_view bytes) {
  pb::DeltaDiscoveryResponse in;
  if (!Parse(in, bytes)) return Fail(Errc::kInvalidInput, "not a DeltaDiscoveryResponse");
  DeltaResponse out;
  out.type_url = in.type_url();
  out.nonce = in.nonce();
  out.system_version = in.system_version_info();
  out.control_plane = in.control_plane().identifier();
  for (const auto& resource : in.resources()) {
    if (resource.has_ttl()) out.ttls.emplace_back(resource.name(), TtlOf(resource.ttl()));
    if (!resource.has_resource()) {
      out.heartbeats.emplace_back(resource.name(), resource.version());
      continue;
    }
    if (resource.resource().type_url() != in.type_url()) {
      out.foreign.emplace_back(resource.name(), resource.resource().type_url());
      continue;
    }
    out.resources.push_back({.name = resource.name(),
                             .version = resource.version(),
                             .aliases = {resource.aliases().begin(), resource.aliases().end()},
                             .bytes = resource.resource().value()});
  }
  out.removed = {in.removed_resources().begin(), in.removed_resources().end()};
  return out;
}

std::string EncodeDiscoveryRequest(const DiscoveryRequest& request) {
  pb::DiscoveryRequest out;
  if (request.node) EncodeNode(*request.node, *out.mutable_node());
  out.set_type_url(request.type_url);
  out.set_version_info(request.version);
  for (const std::string& name : request.names) out.add_resource_names(name);
  out.set_response_nonce(request.response_nonce);
  SetError(request.error, out);
  return out.SerializeAsString();
}

Result<DiscoveryRequest> DecodeDiscoveryRequest(std::string_view bytes) {
  pb::DiscoveryRequest in;
  if (!Parse(in, bytes)) return Fail(Errc::kInvalidInput, "not a DiscoveryRequest");
  DiscoveryRequest out;
  if (in.has_node()) out.node = DecodeNode(in.node());
  out.type_url = in.type_url();
  out.version = in.version_info();
  out.names = {in.resource_names().begin(), in.resource_names().end()};
  out.response_nonce = in.response_nonce();
  if (in.has_error_detail()) out.error = in.error_detail().message();
  return out;
}

std::string EncodeDiscoveryResponse(const DiscoveryResponse& response) {
  pb::DiscoveryResponse out;
  out.set_type_url(response.type_url);
  out.set_version_info(response.version);
  out.set_nonce(response.nonce);
  if (!response.control_plane.empty()) out.mutable_control_plane()->set_identifier(response.control_plane);
  for (const std::string& bytes : response.resources) {
    auto& any = *out.add_resources();
    any.set_type_url(response.type_url);
    any.set_value(bytes);
  }
  return out.SerializeAsString();
}

Result<DiscoveryResponse> DecodeDiscoveryResponse(std::string_view bytes) {
  pb::DiscoveryResponse in;
  if (!Parse(in, bytes)) return Fail(Errc::kInvalidInput, "not a DiscoveryResponse");
  DiscoveryResponse out;
  out.type_url = in.type_url();
  out.version = in.version_info();
  out.nonce = in.nonce();
  out.control_plane = in.control_plane().identifier();
  for (const auto& resource : in.resources()) {
    if (resource.type_url() != in.type_url())
      return Fail(Errc::kInvalidInput, "a resource is of another type than its response");
    out.resources.push_back(resource.value());
  }
  return out;
}

}  // namespace plait::xds
