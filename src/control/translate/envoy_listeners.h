#pragma once
// The sidecar's listeners in the form that a stock Envoy knows, with Istio's names (design.md, "The control plane"):
//  - virtualOutbound (15001) hands a connection to the listener of its original address, or to the outbound policy;
//  - 0.0.0.0_<port> for HTTP: Host decides, whatever the address was;
//  - <address>_<port> for each address of a service whose port is TCP, TLS, or declares nothing;
//  - <address>_<port> for the own addresses, where plaintext would be refused;
//  - virtualInbound (15006) with filter chains for each port of the workload, by its mutual TLS mode.
// Pure. Reads the visible services and rules of VirtualServices, and policies and ports of the own workload.
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/listener.h"

namespace plait::control::translate {

// virtualOutbound first, then by name.
std::vector<xds::Listener> EnvoyOutbound(const model::Proxy& proxy, const model::Snapshot& snapshot);
xds::Listener EnvoyInbound(const model::Proxy& proxy, const model::Snapshot& snapshot);

}  // namespace plait::control::translate
