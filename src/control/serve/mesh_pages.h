#pragma once
// Debug pages and gauges about the model: services, endpoints, objects, problems, MeshConfig.
#include <functional>

#include "control/model/snapshot.h"
#include "control/serve/debug.h"

namespace plait::control::serve {

// What is wrong with the configuration now, beside the snapshot's own findings (files that cannot be read ...).
using ProblemsOf = std::function<model::Findings()>;
using SnapshotOf = std::function<model::SnapshotRef()>;  // may give null while nothing was read

// Both are asked at each request.
void AddMeshPages(DebugEndpoints& debug, SnapshotOf snapshot, ProblemsOf problems);

}  // namespace plait::control::serve
