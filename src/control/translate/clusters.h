#pragma once
// Clusters (CDS) that a proxy may need. Pure.
#include <optional>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/cluster.h"

namespace plait::control::translate {

// By name: what a sidecar asks for. nullopt: there is none that this proxy may see. Reads the one service, the rule for
// its host, and the identities of its endpoints.
std::optional<xds::Cluster> FindCluster(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                        std::string_view name);
// The names of all of them, for a wildcard subscription; sorted as services are, Istio's special ones last.
std::vector<std::string> ClusterNames(const model::Proxy& proxy, const model::Snapshot& snapshot);

}  // namespace plait::control::translate
