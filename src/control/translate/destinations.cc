#include "control/translate/destinations.h"

#include <algorithm>

#include "control/model/hosts.h"
#include "control/translate/gateway_servers.h"

namespace plait::control::translate {

std::optional<OutboundTarget> FindOutboundTarget(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                 std::string_view cluster) {
  const auto name = ParseOutboundCluster(cluster);
  if (!name) return std::nullopt;
  OutboundTarget out{.service = snapshot.FindService(name->hostname, proxy.name_space)};
  if (out.service && out.service->alias_of) out.service = out.service->alias_of;
  out.port = out.service ? out.service->FindPort(name->port) : nullptr;
  if (!out.port) return std::nullopt;
  out.sni_dnat = name->sni_dnat;
  if (out.sni_dnat && !PassesOn(proxy, snapshot, *out.service)) return std::nullopt;
  out.rule = snapshot.FindDestinationRule(proxy, out.service->hostname, out.service->name_space);
  if (!name->subset.empty()) {
    out.subset = out.rule ? out.rule->FindSubset(name->subset) : nullptr;
    if (!out.subset) return std::nullopt;
  }
  if (out.rule)
    out.policy = model::PolicyForPort(out.rule->policy, out.subset ? &out.subset->policy : nullptr, name->port);
  return out;
}

std::vector<OutboundName> OutboundNames(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                        const model::ServiceView& service) {
  std::vector<OutboundName> out;
  const model::DestinationRule* rule = snapshot.FindDestinationRule(proxy, service.hostname, service.name_space);
  for (const model::ServicePort& port : service.ports) {
    if (port.protocol == model::Protocol::kUdp) continue;
    out.push_back({.port = port.port, .hostname = service.hostname});
    if (!rule) continue;
    for (const model::Subset& subset : rule->subsets)
      out.push_back({.port = port.port, .subset = subset.name, .hostname = service.hostname});
  }
  return out;
}

std::string ClusterOf(const model::Proxy& proxy, const model::Snapshot& snapshot, const model::Destination& destination,
                      std::string_view owner, std::uint16_t request_port) {
  const std::string host = model::ResolveHost(destination.host, owner, snapshot.mesh().cluster_domain);
  std::uint16_t port = destination.port != 0 ? destination.port : request_port;
  if (destination.port == 0)
    if (const model::ServiceView* service = snapshot.FindService(host, proxy.name_space);
        service && service->ports.size() == 1)
      port = service->ports[0].port;
  return OutboundCluster(port, destination.subset, host);
}

bool IsForClient(const model::SourceMatch& match, const model::Proxy& proxy, std::string_view gateway,
                 std::uint16_t port) {
  if (match.port != 0 && match.port != port) return false;
  if (!match.gateways.empty() &&
      std::find(match.gateways.begin(), match.gateways.end(), gateway) == match.gateways.end())
    return false;
  if (!match.name_space.empty() && match.name_space != proxy.name_space) return false;
  return model::Selects(match.labels, proxy.labels);
}

}  // namespace plait::control::translate
