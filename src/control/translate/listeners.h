#pragma once
// Listeners (LDS). Sidecars get the Plait form: two listeners whose size does not depend on the mesh; with a stock
// Envoy that of envoy_listeners.h. Gateways get one a server port, as Istio's. Pure. Reads policies and ports of the
// own workload, or the Gateways of the proxy.
#include <optional>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/listener.h"

namespace plait::control::translate {

std::vector<xds::Listener> Listeners(const model::Proxy& proxy, const model::Snapshot& snapshot);

}  // namespace plait::control::translate
