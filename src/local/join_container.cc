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

#include "core/base/strings.h"
#include "local/paths.h"
#include "local/spawn.h"
#include "local/terminal.h"

namespace plait::local {
namespace {

constexpr int kAllNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

[[noreturn]] void Fail(const char* step) {
  dprintf(2, "plait: cannot %s: %s\n", step, strerror(errno));
  _exit(126);
}

void Check(const Outcome<>& step) {
  if (step) return;
  dprintf(2, "plait: %s\n", step.error().ToString().c_str());
  _exit(126);
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
  if (inside) Check(BecomeApplicationUser());
  if (plan.tty) {
    Check(OpenTerminal({.socket = socket, .rows = plan.rows, .columns = plan.columns}));
    if (ioctl(0, TIOCSCTTY, 0) != 0) Fail("take the terminal");
  }
  if (chdir(plan.working_dir.c_str()) != 0) Fail("use the working directory");
  Check(inside ? DropPower(*plan.filter, -1, -1) : ForbidGaining(*plan.filter, -1, -1));
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

// What is left of a helper: the end of the command.
[[noreturn]] void EndAs(pid_t process) {
  syscall(SYS_close_range, 0U, ~0U, 0U);  // the streams end when the command's do
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
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
  EndAs(command);
}

// Makes the container itself, as its setter, and stays: the container ends with it.
[[noreturn]] void RunMaker(const LaunchPlan& place, const JoinPlan& plan, int socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  SetUpStreams(plan);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) Fail("make a pipe");
  const TerminalPlan terminal{.socket = socket, .rows = plan.rows, .columns = plan.columns};
  LaunchPlan container = place;
  container.argv = plan.argv;
  container.environment = plan.environment;
  container.working_dir = plan.working_dir;
  container.input = 0;
  container.output = 1;
  container.error = 2;
  if (plan.tty) container.terminal = &terminal;
  container.ends_with_setter = true;
  const Outcome<pid_t> first = MakeContainer(container, report[1]);
  if (!first) Check(std::unexpected(first.error()));
  close(report[1]);
  // Nothing but the process's number when plait-init runs.
  std::string told;
  char piece[512];
  for (ssize_t n; (n = read(report[0], piece, sizeof piece)) > 0;) told.append(piece, static_cast<std::size_t>(n));
  if (const auto [number, why] = SplitOnce(told, '\n'); !why || !why->empty()) {
    dprintf(2, "plait: %s\n", why ? std::string(*why).c_str() : "the container was not made");
    _exit(126);
  }
  EndAs(*first);
}

// `run` in a helper; it gets the socket for the terminal.
template <class Run>
Outcome<Joined> StartHelper(bool tty, Run run) {
  int ends[2] = {-1, -1};
  if (tty && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Explain(Errc::kLimit, std::string("cannot make a socket: ") + strerror(errno));
  Joined joined{.helper = 0, .terminal = io::UniqueFd(ends[0])};
  const io::UniqueFd inner(ends[1]);
  joined.helper = fork();
  if (joined.helper < 0) return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno));
  if (joined.helper == 0) run(inner.get());
  return joined;
}

}  // namespace

Outcome<Joined> RunInContainer(const JoinPlan& plan) {
  return StartHelper(plan.tty, [&plan](int socket) { RunHelper(plan, socket); });
}

Outcome<Joined> RunInNewContainer(const LaunchPlan& place, const JoinPlan& plan) {
  return StartHelper(plan.tty, [&](int socket) { RunMaker(place, plan, socket); });
}

}  // namespace plait::local
