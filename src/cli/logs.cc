// plait logs WORKLOAD: what its containers have written. `-c istio-proxy` is its proxy (access log and process log);
// `plaitd` and `supervisor` are workloads of plait-system.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

// Copies what is new in the file; starts anew when it was rotated.
class Tail {
 public:
  explicit Tail(std::string path) : path_(std::move(path)) {}
  bool Open() {
    fd_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    return static_cast<bool>(fd_);
  }
  // False when standard output is gone.
  bool Copy() {
    char piece[64 * 1024];
    for (ssize_t n; (n = read(fd_.get(), piece, sizeof piece)) > 0;)
      if (write(STDOUT_FILENO, piece, static_cast<std::size_t>(n)) != n) return false;
    return true;
  }
  void ReopenIfRotated() {
    std::error_code error;
    const auto size = std::filesystem::file_size(path_, error);
    if (!error && static_cast<off_t>(size) < lseek(fd_.get(), 0, SEEK_CUR)) Open();
  }

 private:
  std::string path_;
  io::UniqueFd fd_;
};

Outcome<std::string> LogPath(const local::MeshStatus& status, const std::string& workload,
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

}  // namespace

int Logs(const MeshOptions& mesh, const std::string& workload, const std::string& container, bool follow) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<local::MeshStatus> status = client->Status();
  if (!status) return Report(status.error());
  Outcome<std::string> path = LogPath(*status, workload, container);
  if (!path) return Report(path.error());
  Tail tail(*path);
  if (!tail.Open())
    return Report({.code = Errc::kNotFound,
                   .message = workload + " has no container \"" + container + "\" that has run",
                   .hint = "-c istio-proxy is its proxy"});
  while (tail.Copy() && follow) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    tail.ReopenIfRotated();
    // The mesh has gone, and its files with it.
    if (access(path->c_str(), F_OK) != 0 && !local::ControlClient::Connect(*local::ResolvePaths(mesh.name))) break;
  }
  return kDone;
}

}  // namespace plait::cli
