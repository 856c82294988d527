#pragma once
// What differs in an outbound cluster for a stock Envoy, which knows neither identities of endpoints nor the
// destination index (design.md, "Endpoint identity"). Pure.
#include "control/model/snapshot.h"
#include "control/translate/destinations.h"
#include "core/xds/cluster.h"

namespace plait::control::translate {

// Changes an outbound cluster that was made for a plait-proxy.
void ToEnvoyForm(const model::Proxy& proxy, const model::Snapshot& snapshot, const OutboundTarget& target,
                 xds::Cluster& cluster);

}  // namespace plait::control::translate
