#include "local/mesh_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "core/base/strings.h"
#include "local/mounts.h"

namespace plait::local {
namespace {

// Host ids for applications when `plait` was started as root: of nobody on this host. The second is for hosts that
// are themselves namespaces with few ids.
constexpr uid_t kHostUidsForApplications[] = {1000001000, 60100};

bool HasSeccompFilter() { return ReadWholeFile("/proc/self/status").find("\nSeccomp:\t2") != std::string::npos; }
bool IsZero(const char* path) { return Trim(ReadWholeFile(path)) == "0"; }

// The table of local-processes.md 11: what the symptom means and what to do.
std::unexpected<Diagnostic> ExplainClone(int error) {
  const std::string text = std::string("this host does not let a user make namespaces: ") + strerror(error);
  if (error == ENOSPC)
    return Explain(Errc::kLimit, text,
                   "a limit user.max_*_namespaces is 0 or reached: sudo sysctl user.max_user_namespaces=65536");
  if (HasSeccompFilter())
    return Explain(Errc::kDenied, text,
                   "a container's system-call filter forbids it: run the container with seccomp=unconfined, or "
                   "plait up --net loopback, which captures nothing");
  if (IsZero("/proc/sys/kernel/unprivileged_userns_clone"))
    return Explain(Errc::kDenied, text,
                   "sudo sysctl kernel.unprivileged_userns_clone=1, or as root: plait up --net netns");
  return Explain(Errc::kDenied, text,
                 "inside a chroot user namespaces cannot be made: run `plait` outside of it, or "
                 "plait up --net loopback, which captures nothing");
}

std::string HintForStep(int error) {
  if (Trim(ReadWholeFile("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")) == "1")
    return "AppArmor restricts user namespaces: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
           "or as root: plait up --net netns";
  if (error == EPERM) return "parts of /proc are masked here (a container?): run it with systempaths=unconfined";
  return "";
}

// In the child; the text goes to the parent.
Outcome<> SetUp() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Explain(Errc::kDenied, std::string("cannot make mounts private: ") + strerror(errno), HintForStep(errno));
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return Explain(Errc::kDenied, std::string("cannot mount /proc: ") + strerror(errno), HintForStep(errno));
  setsid();
  return {};
}

// Whether an id exists where this process runs: it may itself be in a namespace with few of them.
bool IsKnownId(uid_t id) {
  const std::string map = ReadWholeFile("/proc/self/uid_map");
  for (const std::string_view line : Split(map, '\n')) {
    std::istringstream fields{std::string(line)};
    std::uint64_t first = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    if (fields >> first >> outside >> count && id >= first && id - first < count) return true;
  }
  return false;
}

// No map: applications get an id of the host that nobody has.
Outcome<> ChooseApplicationId(Ids& ids) {
  for (const uid_t host : kHostUidsForApplications) {
    ids.application = host;
    if (IsKnownId(host)) return {};
  }
  return Explain(Errc::kDenied, "there is no user id for applications", "this container has too few user ids");
}

Outcome<> MapIds(pid_t pid, Ids& ids) {
  io::UniqueFd proc(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string root_uid = "0 " + std::to_string(geteuid()) + " 1\n";
  const std::string root_gid = "0 " + std::to_string(getegid()) + " 1\n";
  if (geteuid() == 0) {
    for (const uid_t host : kHostUidsForApplications) {
      const std::string application = std::to_string(kApplicationUid) + " " + std::to_string(host) + " 1\n";
      if (WriteIdMaps(proc.get(), pid, root_uid + application, root_gid + application, true)) {
        ids.application = kApplicationUid;
        return {};
      }
    }
    return Explain(Errc::kDenied, "cannot map a user for applications",
                   "this container has too few user ids: start plait as an ordinary user");
  }
  Outcome<> mapped = WriteIdMaps(proc.get(), pid, root_uid, root_gid, true);
  if (!mapped) mapped.error().hint = HintForStep(errno);
  return mapped;
}

std::string ReadToEnd(int fd) {
  std::string text;
  char piece[512];
  for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;) text.append(piece, static_cast<std::size_t>(n));
  return text;
}

struct Pipe {
  io::UniqueFd in;
  io::UniqueFd out;
};
Outcome<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Explain(Errc::kLimit, std::string("cannot make a pipe: ") + strerror(errno));
  return Pipe{io::UniqueFd(ends[0]), io::UniqueFd(ends[1])};
}

[[noreturn]] void RunChild(Pipe& go, Pipe& report, const std::function<int(const Ids&)>& body) {
  go.out.Reset();
  Ids ids;
  if (read(go.in.get(), &ids, sizeof ids) != ssize_t{sizeof ids}) _exit(1);  // the parent could not map ids
  go.in.Reset();
  const Outcome<> ready = SetUp();
  if (!ready) {
    const std::string text = ready.error().message + "\n" + ready.error().hint;
    if (write(report.out.get(), text.data(), text.size()) < 0) _exit(2);
    _exit(1);
  }
  report.out.Reset();
  report.in.Reset();
  _exit(body(ids));
}

// Mode loopback: an ordinary child.
Outcome<MeshProcess> StartOnHost(const std::function<int(const Ids&)>& body) {
  const pid_t pid = fork();
  if (pid < 0) return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno));
  if (pid == 0) {
    setsid();  // Ctrl-C is for `plait`, which ends the mesh in order
    _exit(body(Ids{}));
  }
  io::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  return MeshProcess{.pid = pid, .pidfd = std::move(pidfd), .ids = {}};
}

}  // namespace

Outcome<MeshProcess> StartMeshProcess(Mode mode, const std::function<int(const Ids&)>& body) {
  if (mode == Mode::kLoopback) return StartOnHost(body);
  if (mode == Mode::kNetns && geteuid() != 0)
    return Explain(Errc::kDenied, "the mode netns makes namespaces as root, and this is not root",
                   "start plait as root, or leave --net out: the mode rootless needs no privilege");
  Outcome<Pipe> go = MakePipe();
  Outcome<Pipe> report = MakePipe();
  if (!go || !report) return std::unexpected(!go ? go.error() : report.error());
  // Started as root: the mesh does not need root's groups.
  if (geteuid() == 0) setgroups(0, nullptr);

  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD;
  if (mode == Mode::kRootless) args.flags |= CLONE_NEWUSER;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) return ExplainClone(errno);
  if (pid == 0) RunChild(*go, *report, body);

  MeshProcess process{.pid = pid, .pidfd = io::UniqueFd(pidfd), .ids = {}};
  report->out.Reset();
  const Outcome<> mapped = mode == Mode::kRootless ? MapIds(pid, process.ids) : ChooseApplicationId(process.ids);
  std::string refused;
  if (mapped) {
    if (write(go->out.get(), &process.ids, sizeof process.ids) == ssize_t{sizeof process.ids})
      refused = ReadToEnd(report->in.get());
    if (refused.empty()) return process;
  }
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  if (!mapped) return std::unexpected(mapped.error());
  const auto [message, hint] = SplitOnce(refused, '\n');
  return Explain(Errc::kDenied, std::string(message), std::string(hint.value_or("")));
}

}  // namespace plait::local
