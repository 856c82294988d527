#pragma once
// Asks a mesh whether the capture rules of a workload are in the kernel as they were loaded, now. Errors say what is
// missing or was added.
#include <string>

#include "local/control_client.h"

namespace plait::local {
Outcome<> CheckCapture(const ControlClient& client, const std::string& workload);
}  // namespace plait::local
