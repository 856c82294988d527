#pragma once
// Gateway servers with tls.mode AUTO_PASSTHROUGH: the way into a network from others (east-west gateways, port 15443).
// The gateway ends no TLS. A client's mutual TLS, whose server name is MeshSni of the cluster that it means, goes on to
// the endpoints of the gateway's own network behind the cluster of that name (SNI-DNAT), and it is the workload's own
// certificate that the client verifies. No VirtualService has a part in it. Pure.
#include <string>
#include <vector>

#include "control/model/snapshot.h"
#include "control/translate/gateway_servers.h"
#include "core/xds/listener.h"

namespace plait::control::translate {

// A chain for each cluster of the visible services that the server lists.
std::vector<xds::FilterChain> AutoPassthroughChains(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                    const ServerView& server);
// The clusters of all such chains; none for a sidecar.
std::vector<std::string> SniDnatClusterNames(const model::Proxy& proxy, const model::Snapshot& snapshot);

}  // namespace plait::control::translate
