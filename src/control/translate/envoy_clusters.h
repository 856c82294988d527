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

// Whether the cluster, which has one TLS for all pods of a headless service, cannot call this one: others take the
// mesh's mutual TLS and it does not.
bool TakesOnlyPlaintext(const model::Snapshot& snapshot, const OutboundTarget& target,
                        const model::EndpointView& endpoint);

}  // namespace plait::control::translate
