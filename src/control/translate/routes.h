#pragma once
// Route configurations (RDS). Pure.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/route.h"

namespace plait::control::translate {

// Sidecars: by original port in decimal ("9080"); no catch-all, what matches nothing is for the outbound policy
// (semantics.md 2), which a stock Envoy gets as a last virtual host. Gateways: "http.<port>", or "https.<port>.<port
// name>.<gateway>.<namespace>". nullopt: there are no routes of that name. Reads the services on the port and the
// VirtualServices for them.
std::optional<xds::RouteConfiguration> FindRoutes(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                  std::string_view name);
// All names, for a wildcard.
std::vector<std::string> RouteNames(const model::Proxy& proxy, const model::Snapshot& snapshot);

}  // namespace plait::control::translate
