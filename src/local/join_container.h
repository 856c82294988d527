#pragma once
// Runs a command inside a workload: `plait exec` and exec probes (local-processes.md 7). A helper, forked from the
// supervisor, joins all namespaces of a running container in one call, and its child becomes as powerless as the
// container's own processes before it executes the command. Where there is no container, beside a gateway's proxy, the
// helper makes one, which ends with the command.
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/confine.h"
#include "local/launch.h"

namespace plait::local {

struct JoinPlan {
  pid_t container = 0;  // its first process; 0: none, or mode loopback, where there are no namespaces to join
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // to Container::Join: what comes before the container's own
  std::string working_dir = "/";
  const SyscallFilter* filter = nullptr;
  bool tty = false;
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
  int in = -1, out = -1, err = -1;  // without tty; -1: /dev/null
};
struct Joined {
  pid_t helper = 0;       // ends as the command does (its exit code, 128 + n, 126, 127); killing it kills the command
  io::UniqueFd terminal;  // with tty: a socket on which the master of the terminal arrives
};
Outcome<Joined> RunInContainer(const JoinPlan& plan);
// In a container like those that Launch makes; `place` says all about it but what is the command's. Not in mode
// loopback.
Outcome<Joined> RunInNewContainer(const LaunchPlan& place, const JoinPlan& plan);

}  // namespace plait::local
