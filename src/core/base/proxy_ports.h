#pragma once
// Where a plait-proxy, or an Envoy in its place, listens in its workload's network (docs/architecture.md, Ports).
#include <algorithm>
#include <array>

#include "core/base/port.h"

namespace plait::proxy_ports {

inline constexpr Port kAdmin{15000};
inline constexpr Port kOutbound{15001};
inline constexpr Port kInbound{15006};
inline constexpr Port kAgent{15020};  // merged metrics
inline constexpr Port kReadiness{15021};
inline constexpr Port kDns{15053};
inline constexpr Port kMetrics{15090};

// By who may dial them there. Where capture leads, out and in: nobody.
inline constexpr std::array kCapture = {kOutbound, kInbound};
// Whoever reaches the workload.
inline constexpr std::array kOpen = {kAgent, kReadiness, kMetrics};
// The workload, at its loopback addresses.
inline constexpr std::array kLoopback = {kAdmin, kDns};

// Of DNS questions, which capture takes to kDns.
inline constexpr Port kDnsQuestions{53};

template <class List>
constexpr bool Has(const List& ports, Port port) {
  return std::find(std::begin(ports), std::end(ports), port) != std::end(ports);
}

}  // namespace plait::proxy_ports
