#pragma once
// Asks a mesh whether the capture rules of a workload are in the kernel as they were loaded, now: what is missing or
// was added; "" when nothing is. Errors: it could not be asked, or it cannot tell.
#include <string>

#include "local/control_client.h"

namespace plait::local {
Outcome<std::string> CheckCapture(const ControlClient& client, const std::string& workload);
}  // namespace plait::local
