#pragma once
// Starts the mesh's own programs (plaitd, plait-proxy) as mesh root, with sockets passed by name (sd_listen_fds(3)).
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace plait::local {

struct SpawnPlan {
  std::vector<std::string> argv;                     // argv[0] is a path
  int netns = -1;                                    // -1: the supervisor's
  int output = -1;                                   // stdout and stderr
  std::vector<std::pair<std::string, int>> sockets;  // name, descriptor; LISTEN_FDNAMES in this order
};
// The child dies with the supervisor. Errors of exec appear in `output` and as exit code 127.
Outcome<pid_t> Spawn(const SpawnPlan& plan);

// The program's path: beside the plait binary first, then in the folders of `search` (a PATH). Empty: not found.
std::string FindProgram(const std::string& name, const std::string& search);

}  // namespace plait::local
