#pragma once
// Asks a mesh to put a new process in the place of a workload's proxy; returns at once, the status tells when it is
// ready.
#include <string>

#include "local/control_client.h"

namespace plait::local {
Outcome<> ReplaceProxy(const ControlClient& client, const std::string& workload);
}  // namespace plait::local
