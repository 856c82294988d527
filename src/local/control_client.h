#pragma once
// The command line's side of the control socket. Blocking.
#include <array>
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
  // The same, with this process's environment before the container's.
  Outcome<int> ExecWithEnvironment(const std::string& workload, const std::vector<std::string>& argv);
  // The overlay's `file` is removed when this client goes, however it goes.
  Outcome<> Hold(const std::string& file);
  // The same without a terminal, in two steps: `streams` are the command's stdin, stdout and stderr. Between them fd()
  // can be polled; the command is killed when this client is destroyed.
  Outcome<> StartExec(const std::string& workload, const std::string& container, const std::vector<std::string>& argv,
                      const std::array<int, 3>& streams);
  Outcome<int> AwaitExit();
  int fd() const noexcept { return fd_.get(); }
  // Asks the mesh to end; returns when its side of the socket is closed.
  Outcome<> Down();

 private:
  explicit ControlClient(io::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  struct ExecRequest {
    const std::string& workload;
    const std::string& container;
    const std::vector<std::string>& argv;
    std::vector<std::string> environment = {};
  };
  Outcome<int> Run(const ExecRequest& request);
  Outcome<int> RelayTerminal(io::UniqueFd master);

  io::UniqueFd fd_;
};

}  // namespace plait::local
