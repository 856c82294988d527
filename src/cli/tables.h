#pragma once
// The tables of `plait status` and `plait ps`, made of what the mesh and plaitd tell. Pure.
#include <vector>

#include "cli/render.h"
#include "core/base/time.h"
#include "local/mesh_status.h"

namespace plait::cli {

// Columns as in `kubectl get pods -A`; the proxy counts as a container.
Table WorkloadTable(const local::MeshStatus& status);

inline constexpr const char* kNotSent = "NOT SENT";
// Columns as in istioctl, from plaitd's /debug/syncz: NOT SENT, SYNCED, STALE or, when the proxy refused it, NACK. AGE:
// since the last time that it was sent something, or answered that.
Table ProxyTable(const Json& syncz, WallTime now);
inline constexpr const char* kNotConnected = "NOT CONNECTED";
// Adds the proxies that `status` tells of and `syncz` does not, as {"proxy": ..., "connected": false}: plaitd knows
// only those that have a stream. Their row says NOT CONNECTED.
void AddNotConnected(Json& syncz, const local::MeshStatus& status);
// "productpage-v1-0.default refuses RouteConfiguration: ...", one for each type that a proxy has refused.
std::vector<std::string> Refusals(const Json& syncz);

}  // namespace plait::cli
