#pragma once
// Makes the mesh's first process: pid 1 of new user, mount, pid, network, ipc and uts namespaces (local-processes.md
// 1). Root there is the user outside and has no right over anything outside. In the mode netns there is no user
// namespace: root is the host's. In the mode loopback there are no namespaces: an ordinary child.
#include <sys/types.h>

#include <functional>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/launch.h"
#include "local/mode.h"

namespace plait::local {

struct MeshProcess {
  pid_t pid = 0;
  io::UniqueFd pidfd;
  Ids ids;
};

// Forks into the namespaces, with private mounts, an own /proc and an own session, and runs `body` there; its value is
// the exit code. Returns when the namespaces stand; errors name the step and what the host must change.
// Mode netns needs root. The child is a fork without exec: descriptors stay open in it until `body` closes them or
// executes a program.
Outcome<MeshProcess> StartMeshProcess(Mode mode, const std::function<int(const Ids&)>& body);

}  // namespace plait::local
