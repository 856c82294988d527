#pragma once
// What differs between two configurations, counted as istiod counts what it hears of the API server: of services, pods
// and what else the registry is made of in pilot_k8s_reg_events, of Istio's own kinds in pilot_k8s_cfg_events.
#include "control/model/snapshot.h"
#include "control/serve/metrics.h"

namespace plait::control::serve {

// `before`: null at the start, when all there is comes. An object that was written anew as it was is no event. A walk
// over all objects and pods.
void CountEvents(const model::Snapshot* before, const model::Snapshot& now, Metrics& metrics);

}  // namespace plait::control::serve
