#pragma once
// What tests put into the index of destinations.
#include <cstdint>
#include <memory>

#include "proxy/cluster/destination_index.h"

namespace plait::proxy::session {

inline void Add(cluster::DestinationIndex& index, const xds::Service& service) {
  index.Apply({.put = {{service.Key(), std::make_shared<const xds::Address>(xds::Address{service})}}});
}
inline void Add(cluster::DestinationIndex& index, const xds::Workload& workload) {
  index.Apply({.put = {{workload.uid, std::make_shared<const xds::Address>(xds::Address{workload})}}});
}

// The service "web" of "default". `canonical`: a Service, whose address is a ClusterIP; else a ServiceEntry.
inline void AddService(cluster::DestinationIndex& index, const char* vip, std::uint16_t port,
                       xds::DeclaredProtocol declared, bool canonical = true) {
  xds::Service service;
  service.canonical = canonical;
  service.name = "web";
  service.name_space = "default";
  service.hostname = "web.default.svc.cluster.local";
  service.addresses.push_back({"", io::Cidr::Parse(vip).value()});
  service.ports.push_back({{port, port, xds::AppProtocol::kUnknown}, "p", declared});
  Add(index, service);
}

}  // namespace plait::proxy::session
