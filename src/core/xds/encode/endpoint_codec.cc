#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"

namespace plait::xds {
namespace encode {
namespace {
namespace pb = envoy::config::endpoint::v3;

envoy::config::core::v3::HealthStatus HealthOf(HealthStatus status) {
  using namespace envoy::config::core::v3;  // NOLINT: the names of the enumeration
  constexpr envoy::config::core::v3::HealthStatus kStatus[] = {UNKNOWN,  HEALTHY, UNHEALTHY,
                                                               DRAINING, TIMEOUT, DEGRADED};
  return kStatus[static_cast<std::size_t>(status)];
}

void FillEndpoint(const Endpoint& in, pb::LbEndpoint& out) {
  pb::Endpoint& endpoint = *out.mutable_endpoint();
  if (in.dns_name.empty()) {
    Fill(in.address, *endpoint.mutable_address());
  } else {
    endpoint.mutable_address()->mutable_socket_address()->set_address(in.dns_name);
    endpoint.mutable_address()->mutable_socket_address()->set_port_value(in.dns_port);
  }
  for (const io::SocketAddress& address : in.additional_addresses)
    Fill(address, *endpoint.add_additional_addresses()->mutable_address());
  endpoint.set_hostname(in.hostname);
  out.set_health_status(HealthOf(in.health));
  if (in.weight != 1) out.mutable_load_balancing_weight()->set_value(in.weight);
  if (!in.identity.empty()) SetMetadata(*out.mutable_metadata(), "plait.dev", "identity", in.identity);
  for (const auto& [key, value] : in.transport_socket_match)
    SetMetadata(*out.mutable_metadata(), "envoy.transport_socket_match", key, value);
  if (!in.istio_workload.empty()) SetMetadata(*out.mutable_metadata(), "istio", "workload", in.istio_workload);
  if (in.canary) {
    auto& fields = *(*out.mutable_metadata()->mutable_filter_metadata())["envoy.lb"].mutable_fields();
    fields["canary"].set_bool_value(true);
  }
}

}  // namespace

void Fill(const ClusterLoadAssignment& in, pb::ClusterLoadAssignment& out) {
  out.set_cluster_name(in.cluster_name);
  for (const LocalityEndpoints& locality : in.localities) {
    pb::LocalityLbEndpoints& to = *out.add_endpoints();
    if (locality.locality != Locality{}) Fill(locality.locality, *to.mutable_locality());
    to.set_priority(locality.priority);
    if (locality.weight) to.mutable_load_balancing_weight()->set_value(*locality.weight);
    for (const Endpoint& endpoint : locality.endpoints) FillEndpoint(endpoint, *to.add_lb_endpoints());
  }
  if (in.overprovisioning_factor != 140)
    out.mutable_policy()->mutable_overprovisioning_factor()->set_value(in.overprovisioning_factor);
  if (in.weighted_priority_health) out.mutable_policy()->set_weighted_priority_health(true);
}

}  // namespace encode

std::string Encode(const ClusterLoadAssignment& endpoints) {
  envoy::config::endpoint::v3::ClusterLoadAssignment out;
  encode::Fill(endpoints, out);
  return encode::Bytes(out);
}

}  // namespace plait::xds
