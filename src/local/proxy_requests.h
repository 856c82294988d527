#pragma once
// What a mesh does with the processes of a workload's proxy. Both return at once.
#include <string>

#include "local/control_client.h"

namespace plait::local {
// Puts a new process in its place; the status tells when it is ready.
Outcome<> ReplaceProxy(const ControlClient& client, const std::string& workload);
// Gives an Envoy a new certificate.
Outcome<> RenewIdentity(const ControlClient& client, const std::string& workload);
}  // namespace plait::local
