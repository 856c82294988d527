#include "local/launch.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "local/mounts.h"

namespace plait::local {
namespace {

std::unexpected<Diagnostic> Failed(const char* step) {
  return Explain(Errc::kDenied, std::string("cannot ") + step + ": " + strerror(errno));
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

Outcome<> WriteAt(int folder, const std::string& name, const std::string& text) {
  io::UniqueFd fd(openat(folder, name.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return Explain(Errc::kDenied, "cannot write /proc/" + name + ": " + strerror(errno));
}

void Report(int fd, const std::string& text) {
  if (write(fd, text.data(), text.size()) < 0) return;  // the supervisor is gone: so are we, in a moment
}

Outcome<> SetUpStreams(const LaunchPlan& plan) {
  const int input = plan.input >= 0 ? plan.input : open("/dev/null", O_RDWR | O_CLOEXEC);
  const int error = plan.error >= 0 ? plan.error : plan.output;
  if (dup2(input, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(error, 2) < 0) return Failed("set up output");
  if (chdir(plan.working_dir.c_str()) != 0)
    return Explain(Errc::kNotFound, "cannot use the working directory " + plan.working_dir + ": " + strerror(errno));
  return {};
}

// The child: alone in its pid namespace, as the application's uid with all capabilities of its own user namespace.
Outcome<> BecomeContainer(const LaunchPlan& plan, int mapped) {
  char byte = 0;
  if (read(mapped, &byte, 1) != 1) return Failed("wait for the id maps");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return Failed("mount /proc");
  // Hardening only: fewer kernel interfaces to reach. Fails on kernels without the setting.
  if (!plan.allow_user_namespaces) {
    io::UniqueFd fd(open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC));
    if (fd && write(fd.get(), "0", 1) != 1) return Failed("forbid user namespaces");
  }
  setsid();
  const Outcome<> ready = SetUpStreams(plan);
  ResetSignals();
  return ready;
}

// The application's user owns it.
Outcome<> TakeTerminal(const LaunchPlan& plan) {
  if (!plan.terminal) return {};
  if (Outcome<> become = BecomeApplicationUser(); !become) return become;
  return OpenTerminal(*plan.terminal);
}

// A change of ids clears what was asked for before, so this comes after all of them. The setter, who reads the report,
// may have ended already.
Outcome<> EndWithSetter(const LaunchPlan& plan, int report) {
  if (!plan.ends_with_setter) return {};
  pollfd reader{report, 0, 0};
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&reader, 1, 0) == 0) return {};
  return Explain(Errc::kCancelled, "nobody waits for the container any more");
}

// With all signals blocked: plait-init takes them with sigwaitinfo, and one that comes before it does so waits for it.
// As pid 1 of its namespace it would lose one that is unblocked and has no handler.
Outcome<> ExecuteInit(const LaunchPlan& plan, int init) {
  std::vector<std::string> argv = {"plait-init"};
  if (plan.terminal) argv.emplace_back("--terminal");
  argv.insert(argv.end(), plan.argv.begin(), plan.argv.end());
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  syscall(SYS_execveat, init, "", Pointers(argv).data(), Pointers(plan.environment).data(), AT_EMPTY_PATH);
  return Failed("run plait-init");
}

[[noreturn]] void RunChild(const LaunchPlan& plan, int mapped, int report) {
  Outcome<> ready = BecomeContainer(plan, mapped);
  // The report and plait-init are the two descriptors that stay until exec; put them side by side.
  const int kept_report = fcntl(report, F_DUPFD_CLOEXEC, 1000);
  const int kept_init = fcntl(plan.init, F_DUPFD_CLOEXEC, 1000);
  if (ready) ready = TakeTerminal(plan);
  if (ready) ready = DropPower(*plan.filter, kept_report, kept_init);
  if (ready) ready = EndWithSetter(plan, kept_report);
  if (ready) ready = ExecuteInit(plan, kept_init);
  Report(kept_report >= 0 ? kept_report : report, ready.error().ToString());
  _exit(127);
}

}  // namespace

Outcome<pid_t> MakeContainer(const LaunchPlan& plan, int report) {
  if (setns(plan.netns, CLONE_NEWNET) != 0) return Failed("enter the network namespace");
  // After pivot_root there is no /proc of ours to write the maps through.
  io::UniqueFd proc(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc || unshare(CLONE_NEWNS | CLONE_NEWUTS) != 0) return Failed("make a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return Failed("make mounts private");
  if (sethostname(plan.root.hostname.data(), plan.root.hostname.size()) != 0) return Failed("set the host name");
  if (Outcome<> built = BuildRoot(plan.root, plan.ids.application); !built) return std::unexpected(built.error());

  int mapped[2];
  if (pipe2(mapped, O_CLOEXEC) != 0) return Failed("make a pipe");
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWCGROUP;
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) return Failed("make the container's namespaces");
  if (pid == 0) {
    close(mapped[1]);  // only the setter's end tells
    RunChild(plan, mapped[0], report);
  }
  const std::string map = std::to_string(kApplicationUid) + " " + std::to_string(plan.ids.application) + " 1";
  if (Outcome<> written = WriteIdMaps(proc.get(), pid, map, map, true); !written) {
    kill(pid, SIGKILL);
    return std::unexpected(written.error());
  }
  Report(report, "pid " + std::to_string(pid) + "\n");
  if (write(mapped[1], "x", 1) != 1) return Failed("start the container");
  return pid;
}

Outcome<> WriteIdMaps(int proc, pid_t pid, const std::string& uid_map, const std::string& gid_map,
                      bool deny_setgroups) {
  const std::string folder = std::to_string(pid);
  if (deny_setgroups)
    if (Outcome<> written = WriteAt(proc, folder + "/setgroups", "deny"); !written) return written;
  if (Outcome<> written = WriteAt(proc, folder + "/uid_map", uid_map); !written) return written;
  return WriteAt(proc, folder + "/gid_map", gid_map);
}

namespace {

// Mode loopback: as the user who started the mesh, in the host's namespaces. plait-init ends everything that it started
// when the supervisor ends.
[[noreturn]] void RunOnHost(const LaunchPlan& plan, int report) {
  prctl(PR_SET_PDEATHSIG, kEndEverything);
  Report(report, "pid " + std::to_string(getpid()) + "\n");
  setsid();
  Outcome<> ready = SetUpStreams(plan);
  ResetSignals();
  const int kept_report = fcntl(report, F_DUPFD_CLOEXEC, 1000);
  const int kept_init = fcntl(plan.init, F_DUPFD_CLOEXEC, 1000);
  if (ready) ready = ForbidGaining(*plan.filter, kept_report, kept_init);
  if (ready) ready = ExecuteInit(plan, kept_init);
  Report(kept_report >= 0 ? kept_report : report, ready.error().ToString());
  _exit(127);
}

Outcome<Launching> LaunchOnHost(const LaunchPlan& plan, io::UniqueFd reading, const io::UniqueFd& writing) {
  const pid_t pid = fork();
  if (pid < 0)
    return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno), "raise ulimit -u");
  if (pid == 0) RunOnHost(plan, writing.get());
  fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  return Launching{0, std::move(reading)};
}

}  // namespace

Outcome<Launching> Launch(const LaunchPlan& plan) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return Failed("make a pipe");
  io::UniqueFd reading(report[0]);
  const io::UniqueFd writing(report[1]);
  if (plan.netns < 0) return LaunchOnHost(plan, std::move(reading), writing);
  const pid_t setter = fork();
  if (setter < 0)
    return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno), "raise ulimit -u");
  if (setter == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const Outcome<pid_t> done = MakeContainer(plan, writing.get());
    if (!done) Report(writing.get(), done.error().ToString());
    _exit(done ? 0 : 1);
  }
  fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  return Launching{setter, std::move(reading)};
}

}  // namespace plait::local
