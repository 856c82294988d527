#pragma once
// What verbs about one mesh or one workload share.
#include <string>

#include "cli/verbs.h"
#include "local/control_client.h"

namespace plait::cli {
Outcome<local::ControlClient> ConnectTo(const MeshOptions& mesh);
// A pod or a deployment (its first ready pod), NAME or NAME.NAMESPACE.
Outcome<local::WorkloadStatus> FindWorkload(const local::MeshStatus& status, const std::string& workload);
// The file that a container writes (the first one unless named; istio-proxy is the proxy). `plaitd` and `supervisor`
// are workloads of plait-system.
Outcome<std::string> LogPathOf(const local::MeshStatus& status, const std::string& workload,
                               const std::string& container);
}  // namespace plait::cli
