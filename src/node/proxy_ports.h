#pragma once
// Where a proxy listens in its workload's network (docs/architecture.md, Ports), by who may dial it there.
#include <algorithm>
#include <array>

#include "core/base/port.h"

namespace plait::node {

// Where capture leads: out and in. Nobody dials them.
inline constexpr std::array kCapturePorts = {Port{15001}, Port{15006}};
// For whoever reaches the workload: merged metrics, readiness, Prometheus.
inline constexpr std::array kOpenPorts = {Port{15020}, Port{15021}, Port{15090}};
// For the workload, at its loopback addresses: admin, DNS.
inline constexpr std::array kLoopbackPorts = {Port{15000}, Port{15053}};
// Of DNS questions, which capture takes to the DNS of the proxy.
inline constexpr Port kDnsPort{53};

template <class List>
bool HasPort(const List& ports, Port port) {
  return std::find(std::begin(ports), std::end(ports), port) != std::end(ports);
}

}  // namespace plait::node
