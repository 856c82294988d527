// plait exec WORKLOAD -- COMMAND: runs it inside the workload, as `kubectl exec`, with its streams and its exit code.
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {

int Exec(const MeshOptions& mesh, const std::string& workload, const std::string& container,
         const std::vector<std::string>& command) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  const Outcome<int> code = client->Exec(workload, container, command);
  return code ? *code : Report(code.error());
}

}  // namespace plait::cli
