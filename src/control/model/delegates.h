#pragma once
// VirtualServices that delegate http rules to others (Istio's HTTPRoute.delegate), made whole: the delegate's rules
// stand in place of the rule that names it. A delegate has no hosts and does not delegate again; a rule whose delegate
// is not there, or whose matches contradict those of the root, is left out and reported.
#include <memory>
#include <vector>

#include "control/model/finding.h"
#include "control/model/mesh_config.h"
#include "control/model/virtual_service.h"

namespace plait::control::model {

struct Delegations {
  // In the order of the input; null where nothing is delegated.
  std::vector<std::unique_ptr<VirtualService>> whole;
  Findings findings;
};

// `services`: all of the mesh, in the order in which findings are to come. Pure.
Delegations ResolveDelegates(const std::vector<const VirtualService*>& services, const MeshConfig& mesh);

}  // namespace plait::control::model
