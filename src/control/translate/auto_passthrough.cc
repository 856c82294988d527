#include "control/translate/auto_passthrough.h"

#include <algorithm>
#include <set>

#include "control/translate/destinations.h"
#include "control/translate/listener_parts.h"
#include "control/translate/names.h"
#include "control/translate/rbac.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {

// What clients of the mesh offer, as Istio lists it. Who offers one of them and nothing but workloads that take mutual
// TLS behind the cluster: the workload's proxy ends it and asks for a certificate, whatever else the port lets in.
std::vector<std::string> MeshProtocols() {
  return {"istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"};
}

}  // namespace

std::vector<xds::FilterChain> AutoPassthroughChains(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                    const ServerView& server) {
  std::vector<xds::NetworkFilter> policies;
  for (xds::NetworkRbac& rbac : TcpRbac(proxy, snapshot))
    policies.push_back({"envoy.filters.network.rbac", std::move(rbac)});
  std::vector<xds::FilterChain> out;
  std::set<std::string> server_names;
  for (const model::ServiceView* service : snapshot.VisibleServices(proxy.name_space)) {
    if (!PassesOn(server, *service)) continue;
    for (const OutboundName& name : OutboundNames(proxy, snapshot, *service)) {
      const std::string cluster = MeshSni(name);
      const std::string server_name = ToLower(cluster);
      // Subsets may differ in nothing but case, and a listener with two chains for one server name is refused whole.
      if (!server_names.insert(server_name).second) continue;
      xds::FilterChain chain = RelayChain(snapshot, cluster, cluster, {{.name = cluster}});
      chain.match.server_names = {server_name};
      chain.match.transport_protocol = "tls";
      chain.match.application_protocols = MeshProtocols();
      chain.filters.insert(chain.filters.begin(), policies.begin(), policies.end());
      out.push_back(std::move(chain));
    }
  }
  return out;
}

std::vector<std::string> SniDnatClusterNames(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<std::string> out;
  if (proxy.type != model::Proxy::Type::kRouter) return out;
  const std::vector<ServerView> servers = ServersOf(proxy, snapshot);
  for (const model::ServiceView* service : snapshot.VisibleServices(proxy.name_space)) {
    const auto passes_on = [&](const ServerView& server) { return PassesOn(server, *service); };
    if (std::none_of(servers.begin(), servers.end(), passes_on)) continue;
    for (const OutboundName& name : OutboundNames(proxy, snapshot, *service)) out.push_back(MeshSni(name));
  }
  return out;
}

}  // namespace plait::control::translate
