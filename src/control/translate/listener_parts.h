#pragma once
// Parts that listeners of several forms have. Pure.
#include <cstdint>
#include <string>
#include <vector>

#include "control/model/snapshot.h"
#include "core/base/proxy_ports.h"
#include "core/xds/listener.h"

namespace plait::control::translate {

inline constexpr std::uint16_t kOutboundPort = proxy_ports::kOutbound.value;
inline constexpr std::uint16_t kInboundPort = proxy_ports::kInbound.value;

// Every address, of both families or (a host may lack IPv6, and Envoy refuses what it cannot bind) of those that the
// proxy has.
std::vector<xds::ListenerAddress> Wildcard(std::uint16_t port);
std::vector<xds::ListenerAddress> Wildcard(std::uint16_t port, const model::Proxy& proxy);
xds::ListenerFilter TlsInspector();
xds::ListenerFilter HttpInspector();
// What the HTTP inspector calls the versions that it finds.
std::vector<std::string> InspectedHttp();
// A chain that matches everything and relays bytes to `clusters`; its name and the prefix of its statistics.
xds::FilterChain RelayChain(const model::Snapshot& snapshot, std::string name, std::string stat_prefix,
                            std::vector<xds::L4WeightedCluster> clusters);
// One that matches everything and closes each connection at once.
xds::FilterChain BlackHoleChain(const model::Snapshot& snapshot, std::string name);
// Two chains that match the same would make the whole listener invalid. What an earlier one has, of server names and
// ranges too, is taken out of the later, which is dropped when nothing is left of it.
void AppendChain(xds::FilterChain chain, xds::Listener& listener);

}  // namespace plait::control::translate
