#include "local/join_container.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/io/socket.h"
#include "local/launch.h"
#include "local/paths.h"
#include "local/spawn.h"

namespace plait::local {
namespace {

constexpr int kAllNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

[[noreturn]] void Fail(const char* step) {
  dprintf(2, "plait: cannot %s: %s\n", step, strerror(errno));
  _exit(126);
}

// A terminal of the container's own devpts: the user's is never given away.
void OpenTerminal(const JoinPlan& plan, int socket) {
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int zero = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) != 0) Fail("open a terminal");
  const winsize size{plan.rows, plan.columns, 0, 0};
  ioctl(master, TIOCSWINSZ, &size);
  const int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (slave < 0 || !io::SendFds(socket, "terminal", {master})) Fail("pass the terminal");
  if (ioctl(slave, TIOCSCTTY, 0) != 0) Fail("take the terminal");
  for (int fd = 0; fd < 3; ++fd) dup2(slave, fd);
}

// The container's PATH, not ours.
std::string PathOf(const std::vector<std::string>& environment) {
  constexpr std::string_view kName = "PATH=";
  for (const std::string& variable : environment)
    if (variable.starts_with(kName)) return variable.substr(kName.size());
  return "/usr/bin:/bin";
}

[[noreturn]] void RunCommand(const JoinPlan& plan, int socket) {
  // Dies with the helper, which the supervisor kills when the client goes.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  ResetSignals();
  const bool inside = plan.container > 0;
  if (inside && (setresgid(kApplicationUid, kApplicationUid, kApplicationUid) != 0 ||
                 setresuid(kApplicationUid, kApplicationUid, kApplicationUid) != 0))
    Fail("become the application's user");
  if (plan.tty) OpenTerminal(plan, socket);
  if (chdir(plan.working_dir.c_str()) != 0) Fail("use the working directory");
  const Outcome<> dropped = inside ? DropPower(*plan.filter, -1, -1) : ForbidGaining(*plan.filter, -1, -1);
  if (!dropped) {
    dprintf(2, "plait: %s\n", dropped.error().ToString().c_str());
    _exit(126);
  }
  // Changing ids clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> argv;
  std::vector<char*> environment;
  for (const std::string& text : plan.argv) argv.push_back(const_cast<char*>(text.c_str()));
  for (const std::string& text : plan.environment) environment.push_back(const_cast<char*>(text.c_str()));
  argv.push_back(nullptr);
  // execvpe searches the PATH of this process, which is still the supervisor's.
  for (char* text : environment)
    if (std::string_view(text).starts_with("PATH=")) putenv(text);
  environment.push_back(nullptr);
  std::string program = FindProgram(plan.argv[0], PathOf(plan.environment));
  if (!inside && !plan.tty && !program.empty()) {
    // Nothing ends the command's own children with it, so plait-init does. (A terminal that goes ends them.)
    prctl(PR_SET_PDEATHSIG, kEndEverything);
    argv[0] = program.data();
    argv.insert(argv.begin(), const_cast<char*>("plait-init"));
    execve((BinaryFolder() + "/plait-init").c_str(), argv.data(), environment.data());
  }
  if (!program.empty()) execve(program.c_str(), argv.data(), environment.data());
  const int error = program.empty() ? ENOENT : errno;
  dprintf(2, "plait: cannot run %s: %s\n", argv[0], program.empty() ? "not found in PATH" : strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

void SetUpStreams(const JoinPlan& plan) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  // Out of the way of 0 to 2 first.
  const int wanted[3] = {plan.in, plan.out, plan.err};
  int high[3];
  for (int i = 0; i < 3; ++i) high[i] = fcntl(wanted[i] >= 0 ? wanted[i] : null, F_DUPFD_CLOEXEC, 100);
  for (int i = 0; i < 3; ++i) dup2(high[i], i);
}

[[noreturn]] void RunHelper(const JoinPlan& plan, int socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  SetUpStreams(plan);
  if (plan.container > 0) {
    // The container's processes must not read this copy of the supervisor's memory. (Ids need no writing here.)
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, plan.container, 0));
    if (pidfd < 0) Fail("find the container");
    prctl(PR_SET_DUMPABLE, 0);
    if (setns(pidfd, kAllNamespaces) != 0) Fail("enter the container");
  }
  const pid_t command = fork();
  if (command < 0) Fail("start a process");
  if (command == 0) RunCommand(plan, socket);
  syscall(SYS_close_range, 0U, ~0U, 0U);  // the streams end when the command's do
  int status = 0;
  while (waitpid(command, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

Outcome<Joined> RunInContainer(const JoinPlan& plan) {
  int ends[2] = {-1, -1};
  if (plan.tty && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Explain(Errc::kLimit, std::string("cannot make a socket: ") + strerror(errno));
  Joined joined{.helper = 0, .terminal = io::UniqueFd(ends[0])};
  const io::UniqueFd inner(ends[1]);
  joined.helper = fork();
  if (joined.helper < 0) return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno));
  if (joined.helper == 0) RunHelper(plan, inner.get());
  return joined;
}

}  // namespace plait::local
