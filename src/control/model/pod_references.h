#pragma once
// Internal to control/model: what is named of pods and is not there. A ServiceAccount by a pod, a caller (namespace,
// account) by an AuthorizationPolicy, a container's port by a Service; and ports of Services that a pod excludes from
// its proxy.
#include "control/model/snapshot.h"

namespace plait::control::model {

// Warnings. Nothing else changes: the pod runs, the policy is in force, the Service has no endpoint at that port.
Findings CheckPodReferences(const Snapshot& snapshot);

}  // namespace plait::control::model
