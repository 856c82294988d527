#pragma once
// Whose logs `plait logs` shows: one workload's, or those of all that there are - which change while it follows them.
// No input but the status of the mesh.
#include <string>
#include <vector>

#include "cli/log_tail.h"
#include "core/base/result.h"
#include "local/mesh_status.h"

namespace plait::cli {

struct LogSource {
  std::string workload;   // as it was asked for; "details-v1-0.default" of all
  std::string container;  // "istio-proxy"
  LogTail tail;
  bool gone = false;  // it was not in the last status
};

class LogSources {
 public:
  // `workload` empty: all. `container` empty: the first one of the workload.
  LogSources(std::string workload, std::string container)
      : workload_(std::move(workload)), container_(std::move(container)) {}
  // Adds what is new. What has gone stays until the next update, so that its last lines can be read; one workload that
  // was named by its deployment stays as long as it runs, then the next takes its place. Errors: no such workload.
  Outcome<> Update(const local::MeshStatus& status);
  std::vector<LogSource>& list() noexcept { return list_; }

 private:
  Outcome<> Add(const local::MeshStatus& status, const std::string& workload, std::vector<LogSource>& all) const;

  const std::string workload_;
  const std::string container_;
  std::vector<LogSource> list_;
};

}  // namespace plait::cli
