#include "control/translate/network_gateways.h"

#include <algorithm>

namespace plait::control::translate {

bool NetworkGateways::InOwnNetwork(const model::EndpointView& endpoint) const {
  return endpoint.network.empty() || proxy_.network.empty() || endpoint.network == proxy_.network;
}

bool NetworkGateways::Takes(const model::EndpointView& endpoint, const std::string& locality) {
  if (InOwnNetwork(endpoint)) return false;
  const model::MeshNetwork* network = snapshot_.FindNetwork(endpoint.network);
  if (!network || network->gateways.empty()) return false;
  if (endpoint.mtls) weights_[{network, locality}] += endpoint.weight;
  return true;
}

std::vector<NetworkGateways::Address> NetworkGateways::AddressesOf(const model::MeshNetwork& network) const {
  std::vector<Address> out;
  for (const model::MeshNetwork::Gateway& gateway : network.gateways) {
    if (gateway.service.empty()) {
      out.push_back({gateway.address, gateway.port});
      continue;
    }
    const model::ServiceView* service = snapshot_.FindService(gateway.service, proxy_.name_space);
    const model::ServicePort* port = service ? service->FindPort(gateway.port) : nullptr;
    if (!port) continue;
    for (const model::EndpointView& endpoint : service->EndpointsOf(*port))
      if (endpoint.ready && !endpoint.ips.empty()) out.push_back({endpoint.ips.front(), endpoint.port});
  }
  return out;
}

std::vector<NetworkGateways::Way> NetworkGateways::Ways() && {
  std::vector<Way> out;
  for (const auto& [to, weight] : weights_) {
    const auto& [network, locality] = to;
    const std::vector<Address> addresses = AddressesOf(*network);
    for (const Address& address : addresses) {
      xds::Endpoint endpoint;
      endpoint.address = io::SocketAddress{.ip = address.ip, .port = Port{address.port}, .unix_path = {}};
      endpoint.weight = std::max<std::uint32_t>(1, weight / static_cast<std::uint32_t>(addresses.size()));
      endpoint.health = xds::HealthStatus::kHealthy;
      // No identity of its own: behind the gateway is any of the service's, which the cluster's list names.
      endpoint.transport_socket_match = {{"tlsMode", "istio"}};
      out.push_back({.endpoint = std::move(endpoint), .network = network->name, .locality = locality});
    }
  }
  return out;
}

}  // namespace plait::control::translate
