#pragma once
// Internal to the snapshot: the endpoints of one service.
#include <vector>

#include "control/model/snapshot.h"

namespace plait::control::model {

// Fills `view.endpoints`. `members`: the workloads that it selects; `slices`: those that count for it. The snapshot's
// workloads, networks and policies are known.
void AddEndpoints(const Snapshot& snapshot, const std::vector<const Workload*>& members,
                  const std::vector<const EndpointSlice*>& slices, ServiceView& view);

}  // namespace plait::control::model
