#include "core/xds/cluster_codec.h"

#include "core/xds/common_codec.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::endpoint::v3;
using At = DecodeContext::At;

// The default value where there is none.
const google::protobuf::Value& MetadataValue(const envoy::config::core::v3::Metadata& metadata,
                                             const std::string& filter, const std::string& key) {
  static const google::protobuf::Value kNone;
  const auto fields = metadata.filter_metadata().find(filter);
  if (fields == metadata.filter_metadata().end()) return kNone;
  const auto value = fields->second.fields().find(key);
  return value == fields->second.fields().end() ? kNone : value->second;
}

Endpoint DecodeEndpoint(const pb::LbEndpoint& in, DecodeContext& context, bool dns_names) {
  context.Honours(in, {"endpoint", "health_status", "load_balancing_weight"});
  context.Honours(in.endpoint(), {"address", "hostname", "additional_addresses"});
  Endpoint out;
  const auto& address = in.endpoint().address();
  if (dns_names && address.has_socket_address() && !io::IpAddress::Parse(address.socket_address().address())) {
    out.dns_name = address.socket_address().address();
    context.Honours(address, {"socket_address"});
    context.Honours(address.socket_address(), {"address", "port_value", "protocol"});
    if (address.socket_address().protocol() != envoy::config::core::v3::SocketAddress::TCP)
      context.Reject("protocol UDP is not implemented");
    out.dns_port = DecodePort(address.socket_address().port_value(), context);
    if (out.dns_name.empty()) context.Reject("address is empty");
  } else {
    out.address = DecodeAddress(address, context);
  }
  for (const auto& further : in.endpoint().additional_addresses()) context.Honours(further, {"address"});
  for (const auto& further : in.endpoint().additional_addresses())
    out.additional_addresses.push_back(DecodeAddress(further.address(), context));
  out.hostname = in.endpoint().hostname();
  out.health = static_cast<HealthStatus>(in.health_status());
  if (in.has_load_balancing_weight()) out.weight = in.load_balancing_weight().value();
  if (out.weight == 0) context.Reject("load_balancing_weight must be above 0");
  out.identity = MetadataValue(in.metadata(), "plait.dev", "identity").string_value();
  out.istio_workload = MetadataValue(in.metadata(), "istio", "workload").string_value();
  out.canary = MetadataValue(in.metadata(), "envoy.lb", "canary").bool_value();
  if (const auto match = in.metadata().filter_metadata().find("envoy.transport_socket_match");
      match != in.metadata().filter_metadata().end())
    for (const auto& [key, value] : match->second.fields())
      out.transport_socket_match.emplace(key, value.string_value());
  return out;
}

}  // namespace

ClusterLoadAssignment DecodeAssignment(const pb::ClusterLoadAssignment& in, DecodeContext& context, bool dns_names) {
  context.Honours(in, {"cluster_name", "endpoints", "policy"});
  ClusterLoadAssignment out;
  out.cluster_name = in.cluster_name();
  for (int i = 0; i < in.endpoints_size(); ++i) {
    const At at(context, "endpoints", i);
    const auto& from = in.endpoints(i);
    context.Honours(from, {"locality", "lb_endpoints", "load_balancing_weight", "priority"});
    LocalityEndpoints locality;
    locality.locality = DecodeLocality(from.locality(), context);
    locality.priority = from.priority();
    if (from.has_load_balancing_weight() && from.load_balancing_weight().value() == 0)
      context.Reject("load_balancing_weight must be above 0");
    if (locality.priority > 128) context.Reject("priority is above 128");
    if (from.has_load_balancing_weight()) locality.weight = from.load_balancing_weight().value();
    for (int k = 0; k < from.lb_endpoints_size(); ++k) {
      const At entry(context, "lb_endpoints", k);
      locality.endpoints.push_back(DecodeEndpoint(from.lb_endpoints(k), context, dns_names));
    }
    out.localities.push_back(std::move(locality));
  }
  if (in.has_policy()) {
    const At at(context, "policy");
    context.Honours(in.policy(), {"overprovisioning_factor", "weighted_priority_health"});
    if (in.policy().has_overprovisioning_factor())
      out.overprovisioning_factor = in.policy().overprovisioning_factor().value();
    out.weighted_priority_health = in.policy().weighted_priority_health();
  }
  return out;
}

}  // namespace plait::xds
