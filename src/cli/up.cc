// plait up DIRECTORY: runs the directory's workloads as processes in a mesh until Ctrl-C, SIGTERM or `plait down`.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cli/directory.h"
#include "cli/gateways.h"
#include "cli/text_edit.h"
#include "cli/verbs.h"
#include "core/base/workers.h"
#include "core/io/unique_fd.h"
#include "local/control_client.h"
#include "local/host_mesh.h"

namespace plait::cli {
namespace {

constexpr Port kDefaultPort{8080};
constexpr int kTurn = 100;  // milliseconds, until all is ready and while something runs beside the mesh

Outcome<local::UpOptions> OptionsOf(const MeshOptions& mesh, const UpVerb& verb) {
  const std::optional<local::Mode> mode =
      verb.net.empty() ? std::optional(local::Mode::kRootless) : local::ParseMode(verb.net);
  if (!mode)
    return Explain(Errc::kInvalidInput, "--net " + verb.net + " is not a mode: it is rootless, netns or loopback",
                   "leave --net out; `plait doctor` says whether this host can run a mesh");
  Outcome<local::MeshPaths> paths = local::ResolvePaths(mesh.name);
  if (!paths) return std::unexpected(paths.error());
  if (!verb.prepare)
    if (Outcome<> there = CheckDirectory(verb.directory); !there) return std::unexpected(there.error());
  std::error_code unreachable;  // then its own error comes when it is made or read
  const std::filesystem::path directory = std::filesystem::weakly_canonical(verb.directory, unreachable);
  const char* path = std::getenv("PATH");
  const char* envoy = std::getenv("PLAIT_ENVOY");
  return local::UpOptions{.paths = *paths,
                          .directory = unreachable ? verb.directory : directory.string(),
                          .search_path = path ? path : "/usr/local/bin:/usr/bin:/bin",
                          .concurrency = verb.concurrency,
                          .mode = *mode,
                          .mode_reason = verb.net.empty() ? "the default: it needs no privilege" : "as --net says",
                          .confine_proxies = !verb.no_seccomp,
                          .envoy = envoy ? envoy : ""};
}

void TellNotice(const local::HostEvent& event) {
  if (event.severity == "step") return Step(event.text);
  if (event.severity == "warning") return Warn(event.text);
  if (event.severity == "info") return Say("    " + event.text);
  Problem(event.text);
}

// Who is not ready; where there is nobody yet, what is wrong.
void TellReasons(const local::MeshPaths& paths) {
  auto client = local::ControlClient::Connect(paths);
  auto status = client ? client->Status() : std::unexpected(client.error());
  if (!status) return Problem(status.error().message);
  bool told = false;
  for (const local::WorkloadStatus& w : status->workloads) {
    if (w.ready) continue;
    Problem(w.name + "." + w.ns + " is not ready: " + (w.reason.empty() ? w.phase : w.reason));
    told = true;
  }
  if (told) return;
  for (const std::string& message : status->messages) Problem(message);
}

void TellUnready(const MeshOptions& mesh, const UpVerb& verb, const local::MeshPaths& paths) {
  TellReasons(paths);
  const std::string name = Named(mesh);
  Problem("not ready after " + std::to_string(verb.timeout) + " s; " +
          (verb.beside ? "the mesh is ended" : "it goes on: plait status" + name + ", plait down" + name));
}

// What can be typed or clicked on; of a port where no such thing is known, where it is.
void TellWaysIn(const MeshOptions& mesh, const local::MeshStatus& status) {
  constexpr std::size_t kShown = 4;
  const std::vector<WayIn> ways = WaysIn(AskGateways(mesh, status), status.gateway_ports);
  if (!status.url.empty()) Say("");
  for (std::size_t i = 0; i < ways.size() && i < kShown; ++i) Say("    App      " + ways[i].command);
  if (ways.size() > kShown)
    Say("             and " + std::to_string(ways.size() - kShown) + " more: plait pc route" +
        (mesh.name == "default" ? "" : " --mesh " + mesh.name) + " GATEWAY");
  for (const local::GatewayPortStatus& port : status.gateway_ports) {
    if (std::any_of(ways.begin(), ways.end(), [&](const WayIn& way) { return way.port == port.port; })) continue;
    const std::string at = "127.0.0.1:" + std::to_string(port.host_port.value);
    Say(ways.empty() && status.url.ends_with(at)
            ? "    App      " + status.url
            : "    Gateway  port " + std::to_string(port.port.value) + " is " + at);
  }
}

void TellReady(const MeshOptions& mesh, const UpVerb& verb, const local::MeshPaths& paths) {
  auto client = local::ControlClient::Connect(paths);
  auto status = client ? client->Status() : std::unexpected(client.error());
  if (!status) return;
  if (verb.welcome) return verb.welcome(*status);
  const std::string name = Named(mesh);
  TellWaysIn(mesh, *status);
  Say("    Debug    " + status->debug_url + "/debug/syncz");
  Say("    Look     plait status" + name + "    plait logs" + name + " WORKLOAD, its access log: plait logs" + name +
      " -c istio-proxy WORKLOAD");
  Say("    Stop     plait down" + name + "\n");
}

// Whether the directory has errors. In the background nobody would see that it is up all the same.
bool TellErrors(const MeshOptions& mesh, const UpVerb& verb, const local::HostEvent& ready) {
  if (ready.severity != "error") return false;
  if (verb.detach)
    Problem(
        "the mesh is up, but its files have the errors above: correct them, it reads them again at once; plait status" +
        Named(mesh) + " shows what is left, plait down" + Named(mesh) + " ends it");
  return true;
}

// Hands the exit code of the start to the process that waits for it, and goes into the background.
class Detached {
 public:
  explicit Detached(io::UniqueFd report, std::string log) : report_(std::move(report)), log_(std::move(log)) {}
  void Tell(int code) {
    if (!report_) return;
    const int out = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int null = open("/dev/null", O_RDWR);
    const char byte = static_cast<char>(code);
    // First let go of the terminal, then of the waiting process.
    for (const auto& [from, to] :
         {std::pair{null, 0}, std::pair{out >= 0 ? out : null, 1}, std::pair{out >= 0 ? out : null, 2}})
      dup2(from, to);
    if (out > 2) close(out);
    if (null > 2) close(null);
    if (write(report_.get(), &byte, 1) < 0) report_.Reset();
    report_.Reset();
  }
  // Somebody waited, and does not any more: Ctrl-C during the start.
  bool abandoned() const {
    pollfd fd{report_.get(), 0, 0};
    return report_ && poll(&fd, 1, 0) > 0 && (fd.revents & POLLERR) != 0;
  }

 private:
  io::UniqueFd report_;
  std::string log_;
};

// Until nothing is left; returns `code`.
int WaitForEnd(local::HostMesh& mesh, int code) {
  for (;;) {
    const local::HostEvent event = mesh.Wait(-1);
    if (event.kind == local::HostEvent::Kind::kNotice) TellNotice(event);
    if (event.kind == local::HostEvent::Kind::kEnded) return code;
    if (event.kind == local::HostEvent::Kind::kInterrupted) {
      Say("plait: stopping now, without grace");
      mesh.Kill();
    }
  }
}

// The process beside the mesh, if the verb has one.
class Companion {
 public:
  Companion() = default;
  Companion(const Companion&) = delete;
  ~Companion() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  void Start(const std::function<pid_t()>& beside) {
    if (beside) pid_ = beside();
  }
  bool running() const { return pid_ > 0; }
  void Interrupt() const {
    if (pid_ > 0) kill(pid_, SIGTERM);
  }
  // Its exit code, once.
  std::optional<int> Ended() {
    int status = 0;
    if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : kNo;
  }

 private:
  pid_t pid_ = 0;
};

int Attend(const MeshOptions& options, const UpVerb& verb, const local::MeshPaths& paths, local::HostMesh& mesh,
           Detached& detached) {
  using Kind = local::HostEvent::Kind;
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(verb.timeout);
  Companion companion;
  for (bool ready = false;;) {
    local::HostEvent event = mesh.Wait(ready && !companion.running() ? -1 : kTurn);
    if (detached.abandoned()) event.kind = Kind::kInterrupted;
    if (const auto code = companion.Ended()) {
      mesh.Stop();
      return WaitForEnd(mesh, *code);
    }
    switch (event.kind) {
      case Kind::kNotice: TellNotice(event); break;
      case Kind::kReady:
        if (std::exchange(ready, true)) break;  // late: it was said who is not
        TellReady(options, verb, paths);
        detached.Tell(TellErrors(options, verb, event) ? kBadFile : kDone);
        companion.Start(verb.beside);
        break;
      case Kind::kTimeout:
        if (ready || std::chrono::steady_clock::now() < patience) break;
        ready = true;  // said once
        TellUnready(options, verb, paths);
        detached.Tell(kNo);
        if (!verb.beside) break;
        mesh.Stop();
        return WaitForEnd(mesh, kNo);
      case Kind::kInterrupted:
        Say("plait: stopping (Ctrl-C again: at once)");
        companion.Interrupt();
        mesh.Stop();
        // Ctrl-C is how a mesh in the foreground ends; only what had not come to its end was interrupted.
        return WaitForEnd(mesh, ready && !verb.beside ? kDone : kInterrupted);
      case Kind::kEnding: return WaitForEnd(mesh, verb.beside ? kNo : kDone);
      case Kind::kEnded:
        if (event.in_order && !verb.beside) return kDone;
        Problem("the supervisor of the mesh has ended");
        detached.Tell(kNo);
        return kNo;
    }
  }
}

// Of a tour that was killed in a mesh of this directory: it runs as its files were written.
void UndoTour(const std::string& directory) {
  const Undone undone = UndoKilledEdits(directory);
  for (const std::string& file : undone.files)
    Warn(file + ": put back what `plait demo tour` had edited before it was killed");
  if (!undone.all) Warn("what `plait demo tour` edited before it was killed stays: " + undone.all.error().ToString());
}

int Serve(const MeshOptions& mesh, const UpVerb& verb, const local::UpOptions& options, Detached detached) {
  if (!verb.prepare) UndoTour(options.directory);
  const bool chosen = verb.port >= 0;
  const Port port = chosen ? Port{static_cast<std::uint16_t>(verb.port)} : kDefaultPort;
  Outcome<std::unique_ptr<local::HostMesh>> running =
      local::HostMesh::Start(options, {.port = port, .chosen = chosen}, {verb.prepare, verb.clean});
  if (!running) {
    int code = Report(running.error());
    if (code == kUnreachable) code = kNo;  // a port or a name that is taken: no mesh was to be reached
    detached.Tell(code);
    return code;
  }
  Step((options.mode == local::Mode::kLoopback ? "loopback addresses         mode: "
                                               : "namespaces                 mode: ") +
       std::string(NameOf(options.mode)) + " (" + options.mode_reason + ")");
  for (const std::string& limit : LimitsOf(options.mode)) Say("    " + limit);
  Step("directory " + options.directory + ", changes are live");
  return Attend(mesh, verb, options.paths, **running, detached);
}

// The parent waits for the code; a Ctrl-C to it ends the start, since the daemon notices that nobody waits any more.
int StartDetached(const MeshOptions& mesh, const UpVerb& verb, const local::UpOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Report({.code = Errc::kLimit, .message = "cannot make a pipe"});
  io::UniqueFd reading(ends[0]);
  io::UniqueFd writing(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    reading.Reset();
    setsid();
    if (fork() != 0) _exit(0);
    signal(SIGPIPE, SIG_IGN);
    // exit, not _exit: nothing is buffered, and destructors of the mesh have run.
    _exit(Serve(mesh, verb, options, Detached(std::move(writing), options.paths.run + "/plait.log")));
  }
  writing.Reset();
  waitpid(child, nullptr, 0);
  char code = kNo;
  if (read(reading.get(), &code, 1) != 1) return kNo;
  return code;
}

}  // namespace

int Up(const MeshOptions& mesh, const UpVerb& verb) {
  Outcome<local::UpOptions> options = OptionsOf(mesh, verb);
  if (!options) return Report(options.error());
  if (verb.detach) return StartDetached(mesh, verb, *options);
  return Serve(mesh, verb, *options, Detached({}, ""));
}

std::vector<Option> UpOptions(UpVerb& verb) {
  return {{.names = "-d,--detach", .help = "return when all is ready; `plait down` ends it", .to = &verb.detach},
          {.names = "--port",
           .value = "PORT",
           .help = "of the gateway on this host, or the next free one; 0: any free one",
           .to = &verb.port,
           .standard = "8080"},
          {.names = "--concurrency",
           .value = "N",
           .help = "worker threads of each proxy",
           .to = &verb.concurrency,
           .standard = "2",
           .range = {1, kMostWorkers}},
          {.names = "--timeout",
           .value = "SECONDS",
           .help = "until it says what is not ready yet, and --detach returns",
           .to = &verb.timeout,
           .standard = "60",
           .range = {1, 3600}}};
}

Command UpCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<UpVerb>();
  Command command{
      .name = "up",
      .summary = "run a directory of Kubernetes and Istio YAML as a mesh of processes",
      .details = "Runs in the foreground until Ctrl-C, SIGTERM or `plait down`. Edits of the directory are live.",
      .examples = {{"up samples/bookinfo", "the sample, its gateway on port 8080"},
                   {"up --detach --name shop DIR", "a second mesh, in the background"}},
      .options = UpOptions(*verb),
      .renders = false,
      .run = [&mesh, verb] { return Up(mesh, *verb); }};
  command.options.push_back({.names = "--net",
                             .value = "MODE",
                             .help = "how workloads are isolated",
                             .to = &verb->net,
                             .choices = {"rootless", "netns", "loopback"},
                             .standard = "rootless"});
  command.options.push_back({.names = "--no-seccomp",
                             .help = "proxies do not restrict their system calls; for debugging",
                             .to = &verb->no_seccomp});
  command.options.insert(command.options.begin(), {.names = "directory",
                                                   .value = "DIR",
                                                   .help = "where the YAML is; edits are live",
                                                   .to = &verb->directory,
                                                   .required = true,
                                                   .offers = Offers::kFolders});
  return command;
}

}  // namespace plait::cli
