#pragma once
// Endpoints (EDS). Pure. Reads one service and, for a subset, the rule for its host.
#include <optional>
#include <string_view>

#include "control/model/snapshot.h"
#include "control/translate/destinations.h"
#include "core/xds/endpoint.h"

namespace plait::control::translate {

// The assignment of an EDS cluster; nullopt when the cluster is not there or is not EDS.
std::optional<xds::ClusterLoadAssignment> FindEndpoints(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                        std::string_view cluster);
// Names of all EDS clusters of a proxy.
std::vector<std::string> EndpointNames(const model::Proxy& proxy, const model::Snapshot& snapshot);
// "region/zone/subzone".
xds::Locality ToLocality(std::string_view text);
// Those of any target, also by DNS names. Endpoints of another network are reached through its gateways.
xds::ClusterLoadAssignment Assignment(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                      const OutboundTarget& target, std::string cluster);

}  // namespace plait::control::translate
