// What a service's endpoints are: pods that it selects, and those that are written down.
#include "control/model/endpoint_views.h"

#include <algorithm>

namespace plait::control::model {
namespace {

EndpointView WorkloadEndpoint(const Snapshot& snapshot, const Workload& workload, std::uint16_t port,
                              bool publish_not_ready) {
  // A server that wants plaintext on this port is not offered TLS (auto mTLS).
  const bool mtls = workload.TakesMeshTls() && snapshot.MtlsOf(workload.name_space, workload.labels).ModeOf(port) !=
                                                   PeerAuthentication::Mode::kDisable;
  return {.ips = workload.ips,
          .port = port,
          .workload = &workload,
          .labels = workload.labels,
          .identity = snapshot.IdentityOf(workload.name_space, workload.service_account),
          .ready = workload.ready || publish_not_ready,
          .mtls = mtls,
          .locality = snapshot.LocalityOf(workload),
          .network = snapshot.NetworkOf(workload)};
}

// An address that belongs to a pod of the mesh is that pod; others take plaintext.
EndpointView WrittenEndpoint(const Snapshot& snapshot, const EndpointSlice::Endpoint& from, std::uint16_t port) {
  const Workload* workload = snapshot.FindWorkload(from.ip);
  if (workload && !workload->ending) {
    EndpointView out = WorkloadEndpoint(snapshot, *workload, port, false);
    out.ready = from.ready;
    out.hostname = from.hostname;
    return out;
  }
  return {.ips = {from.ip},
          .port = port,
          .hostname = from.hostname,
          .ready = from.ready,
          .locality = snapshot.LocalityOf(Workload{.node = from.node}),
          .network = snapshot.NetworkOf(from.ip)};
}

EndpointView WrittenEndpoint(const Snapshot& snapshot, const ServiceEntry& entry, const StaticEndpoint& from,
                             const ServicePort& port) {
  EndpointView out{
      .port = port.target_port, .labels = from.labels, .weight = std::max(from.weight, 1U), .locality = from.locality};
  if (const auto own = from.ports.find(port.name); own != from.ports.end()) out.port = own->second;
  out.network = from.network;
  if (const auto ip = io::IpAddress::Parse(from.address)) {
    out.ips = {*ip};
    if (out.network.empty()) out.network = snapshot.NetworkOf(*ip);
  } else {
    out.dns_name = from.address;
  }
  if (!from.service_account.empty()) out.identity = snapshot.IdentityOf(entry.meta.name_space(), from.service_account);
  // As Istio: who is in the mesh and has an account of it has a proxy, unless the label says otherwise.
  const auto tls_mode = from.labels.find("security.istio.io/tlsMode");
  out.mtls = tls_mode == from.labels.end() ? entry.mesh_internal && !from.service_account.empty()
                                           : tls_mode->second == "istio";
  return out;
}

void AddSlices(const Snapshot& snapshot, const std::vector<const EndpointSlice*>& slices, ServiceView& view) {
  const bool publish = view.service->publish_not_ready;
  for (const EndpointSlice* slice : slices)
    for (const EndpointSlice::Group& group : slice->groups)
      for (const EndpointSlice::Port& port : group.ports)
        for (std::size_t i = 0; i < view.ports.size(); ++i) {
          if (view.ports[i].name != port.name) continue;
          for (const EndpointSlice::Endpoint& endpoint : group.endpoints) {
            view.endpoints[i].push_back(WrittenEndpoint(snapshot, endpoint, port.port));
            view.endpoints[i].back().ready |= publish;
          }
        }
}

void AddOfEntry(const Snapshot& snapshot, ServiceView& view) {
  static const StaticEndpoint kHostItself;
  const bool dns =
      view.resolution == ServiceView::Resolution::kDns || view.resolution == ServiceView::Resolution::kDnsRoundRobin;
  for (std::size_t i = 0; i < view.ports.size(); ++i) {
    for (const StaticEndpoint& endpoint : view.entry->endpoints)
      view.endpoints[i].push_back(WrittenEndpoint(snapshot, *view.entry, endpoint, view.ports[i]));
    if (!dns || !view.entry->endpoints.empty()) continue;
    view.endpoints[i].push_back(WrittenEndpoint(snapshot, *view.entry, kHostItself, view.ports[i]));
    view.endpoints[i].back().dns_name = view.hostname;
  }
}
}  // namespace

std::uint16_t TargetPortOf(const ServicePort& port, const Workload& workload) noexcept {
  if (port.target_name.empty()) return port.target_port;
  for (const ContainerPort& named : workload.ports)
    if (named.name == port.target_name) return named.port;
  return 0;
}

std::uint16_t EndpointPortOf(const Snapshot& snapshot, const ServicePort& port, const Workload& workload) {
  if (workload.gateway)
    for (const Gateway* gateway : snapshot.GatewaysOf(workload.labels))
      for (const GatewayServer& server : gateway->servers)
        if (server.port == port.port) return port.port;
  return TargetPortOf(port, workload);
}

void AddEndpoints(const Snapshot& snapshot, const std::vector<const Workload*>& members,
                  const std::vector<const EndpointSlice*>& slices, ServiceView& view) {
  view.endpoints.resize(view.ports.size());
  if (view.service && !view.service->external_name.empty()) {
    for (std::size_t i = 0; i < view.ports.size(); ++i)
      view.endpoints[i].push_back({.dns_name = view.service->external_name, .port = view.ports[i].target_port});
    return;
  }
  if (view.service) AddSlices(snapshot, slices, view);
  if (view.entry) AddOfEntry(snapshot, view);
  const bool publish = view.service && view.service->publish_not_ready;
  for (const Workload* workload : members) {
    if (workload->ips.empty() || workload->ending) continue;
    for (std::size_t i = 0; i < view.ports.size(); ++i)
      if (const std::uint16_t port = EndpointPortOf(snapshot, view.ports[i], *workload))
        view.endpoints[i].push_back(WorkloadEndpoint(snapshot, *workload, port, publish));
  }
}

}  // namespace plait::control::model
