#include "cli/workloads.h"

#include "local/paths.h"

namespace plait::cli {

Outcome<local::ControlClient> ConnectTo(const MeshOptions& mesh) {
  Outcome<local::MeshPaths> paths = local::ResolvePaths(mesh.name);
  if (!paths) return std::unexpected(paths.error());
  return local::ControlClient::Connect(*paths);
}

Outcome<local::WorkloadStatus> FindWorkload(const local::MeshStatus& status, const std::string& workload) {
  const local::WorkloadStatus* best = nullptr;
  for (const local::WorkloadStatus& w : status.workloads)
    for (const std::string& name : {w.name, w.owner})
      if (!name.empty() && (workload == name || workload == name + "." + w.ns) && (!best || (w.ready && !best->ready)))
        best = &w;
  if (best) return *best;
  std::string names;
  for (const local::WorkloadStatus& w : status.workloads) names += " " + w.name + (w.ns == "default" ? "" : "." + w.ns);
  return Explain(Errc::kNotFound, "there is no workload \"" + workload + "\"", "one of:" + names);
}

Outcome<std::string> LogPathOf(const local::MeshStatus& status, const std::string& workload,
                               const std::string& container) {
  for (const char* own : {"plaitd", "supervisor"})
    if (workload == own || workload == std::string(own) + ".plait-system")
      return status.run_dir + "/logs/plait-system/" + own + "/" + own + ".log";
  Outcome<local::WorkloadStatus> found = FindWorkload(status, workload);
  if (!found) return std::unexpected(found.error());
  std::string which = container;
  if (which.empty()) which = found->containers.empty() ? "istio-proxy" : found->containers.front().name;
  return status.run_dir + "/logs/" + found->ns + "/" + found->name + "/" + which + ".log";
}

}  // namespace plait::cli
