#pragma once
// Starts one container as a powerless process (local-processes.md 2): a setter, forked from the supervisor, enters the
// workload's network namespace, builds the container's root and makes the child in its own user, pid, ipc, cgroup and
// mount namespaces; the child drops every power and executes plait-init, which runs the application.
#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/confine.h"
#include "local/root_filesystem.h"
#include "local/terminal.h"

namespace plait::local {

// How the ids of the mesh are mapped, decided when the mesh starts.
struct Ids {
  // The application's uid and gid in the mesh's user namespace: 0 (there is only one) or, when `plait` was started as
  // root, another: then an application must not have the host's root as its uid.
  uid_t application = 0;
};

// To plait-init where it is not pid 1: kill everything that it has started, and end. Never given to the program.
// In src/local and in bin/plait-init, which includes nothing of ours.
inline const int kEndEverything = SIGRTMIN;

struct LaunchPlan {
  RootPlan root;
  std::vector<std::string> argv;         // argv[0] as found: a path
  std::vector<std::string> environment;  // "NAME=value"
  std::string working_dir = "/";
  int netns = -1;   // -1: mode loopback, a process of the host (`root` and `ids` mean nothing then)
  int init = -1;    // plait-init, opened
  int input = -1;   // stdin; -1: /dev/null
  int output = -1;  // stdout
  int error = -1;   // stderr; -1: as stdout
  const TerminalPlan* terminal = nullptr;  // in the place of the three; plait-init gives it to the program
  bool ends_with_setter = false;           // the container is killed when the process that made it ends
  Ids ids;
  const SyscallFilter* filter = nullptr;
  bool allow_user_namespaces = false;  // hardening that a test switches off
};

struct Launching {
  pid_t setter = 0;  // 0: there was none
  // Tells one line "pid <n>" when the container's first process exists, then end of file when it runs plait-init; any
  // other text is the reason why it does not.
  io::UniqueFd report;
};

// Returns at once. `pid` in the report is in the caller's pid namespace; the process becomes the caller's child
// when the setter ends (the caller is pid 1, or a subreaper).
Outcome<Launching> Launch(const LaunchPlan& plan);

// The setter's part, which Launch runs in a fork: makes the calling process's namespaces and root those of the
// container, and tells `report` what Launching::report says. The container's first process is the caller's child.
Outcome<pid_t> MakeContainer(const LaunchPlan& plan, int report);

// Writes /proc/<pid>/{setgroups,uid_map,gid_map} by a descriptor of /proc, mapping one id (or a second) each.
Outcome<> WriteIdMaps(int proc, pid_t pid, const std::string& uid_map, const std::string& gid_map, bool deny_setgroups);

}  // namespace plait::local
