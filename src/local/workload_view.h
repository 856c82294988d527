#pragma once
// What processes in a workload see of it, whichever container they run in: the root of their file system, their user
// and the variables that all containers have.
#include <string>
#include <vector>

#include "local/launch.h"
#include "local/mesh_context.h"

namespace plait::local {

// A container of the pod but for its command, its environment and its streams. Empty `working_dir`: the root. Not
// longer than `mesh` and `network` live.
LaunchPlan ContainerOf(const MeshContext& mesh, const PodSpec& pod, const PodNetwork& network,
                       const std::string& working_dir);

// Before those that the container's own spec sets.
std::vector<EnvVar> VariablesOf(const MeshContext& mesh, const PodSpec& pod, const PodNetwork& network);

// An environment ("NAME=value"): what is `given`, then those of `more` whose names that does not set.
std::vector<std::string> WithDefaults(std::vector<std::string> given, const std::vector<EnvVar>& more);

}  // namespace plait::local
