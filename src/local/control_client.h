#pragma once
// The command line's side of the control socket. Blocking.
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/mesh_status.h"
#include "local/paths.h"

namespace plait::local {

class ControlClient {
 public:
  // Errors: kUnavailable when no mesh of that name runs (the command line exits with 3).
  static Outcome<ControlClient> Connect(const MeshPaths& paths);

  Outcome<MeshStatus> Status();
  Outcome<std::string> StatusText();  // as it came: JSON
  // A socket connected to 127.0.0.1:`port` in the workload's network.
  Outcome<io::UniqueFd> Dial(const std::string& workload, Port port);
  // Runs a command in a workload with this process's streams; a terminal when they are one. Its exit code.
  Outcome<int> Exec(const std::string& workload, const std::string& container, const std::vector<std::string>& argv);
  // Asks the mesh to end; returns when its side of the socket is closed.
  Outcome<> Down();

 private:
  explicit ControlClient(io::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  Outcome<int> RelayTerminal(io::UniqueFd master);

  io::UniqueFd fd_;
};

}  // namespace plait::local
