#pragma once
// Endpoints of other networks (meshNetworks), seen from one proxy: it cannot reach them, so their share goes to their
// network's gateways, which pass mutual TLS on by the server name in it.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/endpoint.h"

namespace plait::control::translate {

class NetworkGateways {
 public:
  // Both outlive it.
  NetworkGateways(const model::Proxy& proxy, const model::Snapshot& snapshot) : proxy_(proxy), snapshot_(snapshot) {}

  // As Istio: where one of the two is not known they are in one network.
  bool InOwnNetwork(const model::EndpointView& endpoint) const;
  // Whether the endpoint is not one of its own: counted for its network's gateways, or, without mutual TLS, left out.
  // `locality`: where they are to stand for it.
  bool Takes(const model::EndpointView& endpoint, const std::string& locality);
  struct Way {
    xds::Endpoint endpoint;
    std::string network;
    std::string locality;
  };
  // The gateways of the networks that were met, each with its share of the weight.
  std::vector<Way> Ways() &&;

 private:
  struct Address {
    io::IpAddress ip;
    std::uint16_t port = 0;
  };
  std::vector<Address> AddressesOf(const model::MeshNetwork& network) const;

  const model::Proxy& proxy_;
  const model::Snapshot& snapshot_;
  std::map<std::pair<const model::MeshNetwork*, std::string>, std::uint32_t> weights_;  // by locality, too
};

}  // namespace plait::control::translate
