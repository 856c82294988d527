#pragma once
// Whose logs `plait logs` shows: one pod's, those of all pods of a deployment, or of all that there are - which change
// while it follows them. No input but the status of the mesh.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/log_tail.h"
#include "core/base/result.h"
#include "local/mesh_status.h"

namespace plait::cli {

struct LogSource {
  std::string workload;   // as it is shown: the pod where there are several, else as it was asked for
  std::string container;  // "istio-proxy"
  LogTail tail;
  std::string pod = {};         // "details-v1-0.default"
  bool one_of_several = false;  // its lines say whose they are
  bool gone = false;            // it was not in the last status
};

class LogSources {
 public:
  // `workload` empty: all. `container` empty: the first one of the workload.
  LogSources(std::string workload, std::string container)
      : workload_(std::move(workload)), container_(std::move(container)), several_(workload_.empty()) {}
  // Adds what is new. What has gone stays until the next update, so that its last lines can be read. A name that
  // deployments of two namespaces have means that of the first ready pod until all of its pods have gone. Once there
  // were several pods at a time, all are shown by their names to the end. Errors: no such workload.
  Outcome<> Update(const local::MeshStatus& status);
  std::vector<LogSource>& list() noexcept { return list_; }

 private:
  Outcome<std::vector<LogSource>> Present(const local::MeshStatus& status);
  bool IsMeant(const local::WorkloadStatus& pod) const;
  std::ptrdiff_t running() const;

  const std::string workload_;
  const std::string container_;
  bool several_;
  std::optional<local::WorkloadStatus> found_;  // by workload_: the pod, or one of the deployment's
  std::vector<LogSource> list_;
};

}  // namespace plait::cli
