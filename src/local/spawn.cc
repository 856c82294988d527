#include "local/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/base/strings.h"
#include "local/confine.h"
#include "local/paths.h"

namespace plait::local {
namespace {

// First out of the way of the final numbers, then to 3, 4 ... without close-on-exec.
bool PassSockets(const SpawnPlan& plan) {
  const int above = std::max(512, static_cast<int>(plan.sockets.size()) + 16);
  std::vector<int> high;
  std::string names;
  for (const auto& [name, fd] : plan.sockets) {
    high.push_back(fcntl(fd, F_DUPFD_CLOEXEC, above));
    names += (names.empty() ? "" : ":") + name;
  }
  for (std::size_t i = 0; i < high.size(); ++i)
    if (high[i] < 0 || dup2(high[i], static_cast<int>(3 + i)) < 0) return false;
  if (high.empty()) return true;
  setenv("LISTEN_FDS", std::to_string(high.size()).c_str(), 1);
  setenv("LISTEN_FDNAMES", names.c_str(), 1);
  return true;
}

[[noreturn]] void RunChild(const SpawnPlan& plan) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 0);
  dup2(plan.output, 1);
  dup2(plan.output, 2);
  ResetSignals();
  setsid();
  if ((plan.netns < 0 || setns(plan.netns, CLONE_NEWNET) == 0) && PassSockets(plan)) {
    std::vector<char*> argv;
    for (const std::string& text : plan.argv) argv.push_back(const_cast<char*>(text.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
  }
  dprintf(2, "plait: cannot run %s: %s\n", plan.argv[0].c_str(), strerror(errno));
  _exit(127);
}

}  // namespace

Outcome<pid_t> Spawn(const SpawnPlan& plan) {
  const pid_t pid = fork();
  if (pid < 0)
    return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno), "raise ulimit -u");
  if (pid == 0) RunChild(plan);
  return pid;
}

std::string FindProgram(const std::string& name, const std::string& search) {
  if (name.find('/') != std::string::npos) return name;
  if (const std::string beside = BinaryFolder() + "/" + name; access(beside.c_str(), X_OK) == 0) return beside;
  for (const std::string_view folder : Split(search, ':')) {
    std::string path = std::string(folder.empty() ? "." : folder) + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

}  // namespace plait::local
