#pragma once
// What sessions decide, as functions of what they know: where a captured connection goes, which route a request takes,
// what becomes of a connection to the application. Sessions call them for connections, explain.h for questions. Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/xds/plait_forms.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/route/route_table.h"
#include "proxy/session/http_session.h"

namespace plait::proxy::session {

// ---- out of the workload (semantics.md 2)

// What a port of that destination is. Where the service that owns the address does not have the port, it is what
// another one or a workload has there, and nothing of the mesh otherwise. Addresses at which nobody else can be
// (ClusterIPs, and those that are chosen for ServiceEntries) stay the service's: its cluster, which there is not, says
// what is wrong.
cluster::Destination AtPort(cluster::Destination destination, const cluster::DestinationIndex& index,
                            const io::SocketAddress& at);
// What the service declares for this port; kNone where the bytes decide.
xds::DeclaredProtocol DeclaredProtocolOf(const cluster::Destination& destination,
                                         const cluster::DestinationIndex& index, std::uint16_t port);
HttpRouting OutboundHttpRouting(const cluster::Destination& destination, const cluster::DestinationIndex& index,
                                std::uint16_t port, const xds::Outbound& outbound);

struct TcpRoute {
  std::string cluster;
  std::string name;  // of the L4 route; empty: the index decided
};
struct TcpFacts {
  const io::SocketAddress& local;  // where the client meant to go
  std::string_view server_name;    // SNI; empty: none
  std::uint64_t random = 0;        // decides among weighted clusters
};
// `routes`: of the original port; null: none.
TcpRoute OutboundTcpRoute(const cluster::Destination& destination, const cluster::DestinationIndex& index,
                          const xds::L4Routes* routes, const TcpFacts& facts, const xds::Outbound& outbound);
// The first L4 route that takes the destination and server name; null: none.
const xds::L4Route* MatchL4Route(const xds::L4Routes& routes, const io::IpAddress& destination, std::string_view sni);

// The route of a request. A virtual host that takes the authority first, then one that takes the name of the service
// whose address was dialled, then the outbound policy. `route_to(cluster)`: a table whose only route goes there.
template <class RouteTo>
route::RouteMatch ChooseRoute(const HttpRouting& routing, const route::RouteTable* table, const http::RequestHead& head,
                              route::MatchInput input, RouteTo route_to) {
  const bool known = table != nullptr && table->KnowsHost(head.authority);
  if (!known) {
    if (table != nullptr && !routing.destination_hostname.empty() && table->KnowsHost(routing.destination_hostname)) {
      input.host_instead = routing.destination_hostname;
    } else if (!routing.workload_cluster.empty()) {
      return route_to(routing.workload_cluster)->Match(head, input);
    }
  }
  route::RouteMatch match;
  if (table != nullptr) match = table->Match(head, input);
  if (!match && !routing.unknown_cluster.empty() && !known)
    match = route_to(routing.unknown_cluster)->Match(head, input);
  return match;
}
// Such a table.
std::shared_ptr<const route::RouteTable> MakeSingleRoute(const std::string& cluster);

// ---- into the workload (semantics.md 5)

enum class InboundVerdict : std::uint8_t {
  kTerminate,        // mutual TLS of the mesh ends here
  kPassOn,           // the application's own TLS, as it is
  kPlaintext,        // admitted without TLS
  kRefusePlaintext,  // by PlaintextRefusal
};
InboundVerdict JudgeClientHello(const xds::InboundPort& port, const std::vector<std::string>& offered_alpn);
InboundVerdict JudgePlaintext(const xds::InboundPort& port);
// Whether a ClientHello offers what proxies of the mesh offer.
bool IsMeshAlpn(const std::vector<std::string>& offered);
// Details of a refusal, one word of the log: "plaintext_refused_by_strict_mutual_tls", with the policy in braces where
// the port is STRICT by one that is invalid.
std::string PlaintextRefusal(const xds::InboundPort& port);
// That part of it: "{invalid_policy[default/strict]-kind[PeerAuthentication]}"; empty on any other port.
std::string StrictBy(const xds::InboundPort& port);

}  // namespace plait::proxy::session
