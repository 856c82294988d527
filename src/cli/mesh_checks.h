#pragma once
// The checks of `plait test`, in the order in which they run. Each drives traffic through the workloads of namespace
// plait-test and looks at what clients, proxies and logs say of it.
#include <span>

#include "cli/test_access.h"

namespace plait::cli {

struct MeshCheck {
  const char* name;
  Outcome<CheckResult> (*run)(const TestAccess& access);
};
std::span<const MeshCheck> MeshChecks();

// A path of the application, through the gateway of the mesh.
Outcome<CheckResult> CheckPage(const TestAccess& access, const std::vector<std::string>& paths);

}  // namespace plait::cli
