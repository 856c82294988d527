#include "local/host_mesh.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/io/socket.h"
#include "local/confine.h"
#include "local/mounts.h"
#include "local/nameservers.h"

namespace plait::local {
namespace {

constexpr Port kDebugPort{15014};
constexpr Port kDefaultTlsPort{8443};
constexpr int kPortsTried = 200;
constexpr int kStatePatience = 2'000;  // milliseconds

// In the child that becomes pid 1: executes this program again, so that nothing of the caller's memory or descriptors
// is in the mesh.
int BecomeSupervisor(int channel, const std::string& log) {
  ResetSignals();
  const int null = open("/dev/null", O_RDWR);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (null < 0 || out < 0) return 1;
  dup2(null, 0);
  dup2(out, 1);
  dup2(out, 2);
  constexpr int kChannel = 3;
  const int high = fcntl(channel, F_DUPFD_CLOEXEC, 64);
  dup2(high, kChannel);
  syscall(SYS_close_range, kChannel + 1U, ~0U, 0U);
  const std::string number = std::to_string(kChannel);
  execl("/proc/self/exe", "plait", "@supervisor", number.c_str(), nullptr);
  return 1;
}

Port HostPortFor(Port gateway, Port chosen) {
  if (gateway == Port{80} || gateway == Port{8080}) return chosen;
  if (gateway == Port{443} || gateway == Port{8443}) return chosen ? kDefaultTlsPort : Port{};
  return gateway;
}

}  // namespace

Outcome<io::UniqueFd> ListenOnHost(Port wanted, Port& taken) {
  for (int i = 0; i < kPortsTried; ++i) {
    const Port port{static_cast<std::uint16_t>(wanted ? wanted.value + i : 0)};
    Outcome<io::UniqueFd> fd = io::ListenOn({.ip = io::IpAddress::V4(0x7f000001), .port = port});
    if (!fd) continue;  // taken, or below 1024
    taken = io::LocalAddress(fd->get()).port;
    return fd;
  }
  return Explain(Errc::kUnavailable, "no free port from " + std::to_string(wanted.value) + " on 127.0.0.1",
                 "choose another with --port");
}

Outcome<std::unique_ptr<HostMesh>> HostMesh::Start(const UpOptions& options, Port gateway_port, MeshFiles files) {
  Outcome<RunLock> lock = RunLock::Acquire(options.paths, options.directory);
  if (!lock) return std::unexpected(lock.error());
  // From here on there is something to remove when one of them comes.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  std::unique_ptr<HostMesh> mesh(new HostMesh(options, gateway_port, std::move(*lock)));
  if (Outcome<> free = AwaitFreeState(options.paths, kStatePatience); !free) return std::unexpected(free.error());
  // Not before: what they remove could be that of the mesh which has the state directory.
  mesh->files_ = std::move(files);
  if (mesh->files_.make)
    if (Outcome<> made = mesh->files_.make(); !made) return std::unexpected(made.error());
  const MeshPaths& paths = options.paths;
  for (const std::string& folder :
       {paths.logs() + "/plait-system/supervisor", paths.overlay(), paths.proxies(), paths.mount_point(), paths.state})
    if (Outcome<> made = MakeFolders(folder); !made) return std::unexpected(made.error());
  mesh->signals_.Reset(signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
  if (Outcome<> opened = mesh->OpenDebugSocket(); !opened) return std::unexpected(opened.error());
  // On the host's own loopback proxies dial everything themselves.
  if (options.mode != Mode::kLoopback) {
    Outcome<DialHelper> helper = DialHelper::Start(paths.dial_socket(), mesh->debug_port_);
    if (!helper) return std::unexpected(helper.error());
    mesh->dial_helper_ = std::move(*helper);
  }
  if (Outcome<> started = mesh->StartSupervisor(); !started) return std::unexpected(started.error());
  return mesh;
}

Outcome<> HostMesh::OpenDebugSocket() {
  Outcome<io::UniqueFd> fd = ListenOnHost(gateway_port_ ? kDebugPort : Port{}, debug_port_);
  if (!fd) return std::unexpected(fd.error());
  debug_listener_ = std::move(*fd);
  return {};
}

Outcome<> HostMesh::StartSupervisor() {
  io::UniqueFd init(open((BinaryFolder() + "/plait-init").c_str(), O_RDONLY | O_CLOEXEC));
  if (!init)
    return Explain(Errc::kNotFound, "plait-init is not beside plait in " + BinaryFolder(),
                   "build or install all of Plait");
  for (const char* name : {"plaitd", "plait-proxy"})
    if (access((BinaryFolder() + "/" + name).c_str(), X_OK) != 0)
      return Explain(Errc::kNotFound, std::string(name) + " is not beside plait in " + BinaryFolder(),
                     "build or install all of Plait");
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return Explain(Errc::kLimit, std::string("cannot make a socket: ") + strerror(errno));
  channel_.Reset(ends[0]);
  const io::UniqueFd theirs(ends[1]);
  const std::string log = options_.paths.LogOf("plait-system", "supervisor", "supervisor");
  Outcome<MeshProcess> process =
      StartMeshProcess(options_.mode, [&](const Ids&) { return BecomeSupervisor(theirs.get(), log); });
  if (!process) return std::unexpected(process.error());
  process_ = std::move(*process);
  const OuterMessage first{.kind = OuterMessage::Kind::kOptions,
                           .options = options_,
                           .debug_port = debug_port_,
                           .application_id = process_.ids.application};
  if (!SendMessage(channel_.get(), first, {init.get(), lock_.fd(), debug_listener_.get()}))
    return Explain(Errc::kInternal, "the supervisor died at once; see " + log);
  debug_listener_.Reset();
  fcntl(channel_.get(), F_SETFL, O_NONBLOCK);
  return {};
}

HostMesh::~HostMesh() {
  Kill();
  channel_.Reset();
  if (process_.pid > 0) waitpid(process_.pid, nullptr, 0);
  if (files_.remove) files_.remove();
  lock_.RemoveRunFolder();
}

void HostMesh::Stop() {
  stopping_ = true;
  static_cast<void>(SendMessage(channel_.get(), {.kind = OuterMessage::Kind::kStop}));
}

void HostMesh::Kill() {
  if (process_.pidfd) syscall(SYS_pidfd_send_signal, process_.pidfd.get(), SIGKILL, nullptr, 0);
}

void HostMesh::OnListen(Port port) {
  OuterMessage answer{.kind = OuterMessage::Kind::kListening, .port = port};
  Outcome<io::UniqueFd> fd = ListenOnHost(HostPortFor(port, gateway_port_), answer.host_port);
  // Such as a port below 1024, which an ordinary user cannot have.
  if (!fd) fd = ListenOnHost(Port{}, answer.host_port);
  if (fd) static_cast<void>(SendMessage(channel_.get(), answer, {fd->get()}));
}

// Read anew each time: the host may be in another network by now.
void HostMesh::OnResolve() {
  const std::vector<node::NamedSocket> sockets = ConnectToNameservers(ReadNameservers(ReadWholeFile(ResolvConfPath())));
  OuterMessage answer{.kind = OuterMessage::Kind::kResolvers};
  std::vector<int> fds;
  for (const node::NamedSocket& socket : sockets) {
    answer.text += (answer.text.empty() ? "" : ":") + socket.name;
    fds.push_back(socket.fd.get());
  }
  if (SendMessage(channel_.get(), answer, fds)) return;
  // Too many descriptors under way, or the like: a proxy without resolvers is better than none.
  answer.text.clear();
  static_cast<void>(SendMessage(channel_.get(), answer));
}

std::optional<HostEvent> HostMesh::OnChannel() {
  Result<ReceivedMessage> received = ReceiveMessage(channel_.get());
  if (!received) return std::nullopt;
  const OuterMessage& message = received->message;
  switch (message.kind) {
    case OuterMessage::Kind::kListen: OnListen(message.port); return std::nullopt;
    case OuterMessage::Kind::kResolve: OnResolve(); return std::nullopt;
    case OuterMessage::Kind::kReady: return HostEvent{.kind = HostEvent::Kind::kReady, .severity = message.severity};
    case OuterMessage::Kind::kEnding: stopping_ = true; return HostEvent{.kind = HostEvent::Kind::kEnding};
    case OuterMessage::Kind::kNotice:
      return HostEvent{.kind = HostEvent::Kind::kNotice, .severity = message.severity, .text = message.text};
    default: return std::nullopt;
  }
}

HostEvent HostMesh::Wait(int milliseconds) {
  for (;;) {
    pollfd fds[4] = {{channel_.get(), POLLIN, 0},
                     {signals_.get(), POLLIN, 0},
                     {process_.pidfd.get(), POLLIN, 0},
                     {dial_helper_.pidfd(), POLLIN, 0}};
    const int n = poll(fds, 4, milliseconds);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {.kind = HostEvent::Kind::kTimeout};
    if (fds[0].revents & POLLIN)
      if (std::optional<HostEvent> event = OnChannel()) return *event;
    if (fds[1].revents) {
      signalfd_siginfo info;
      if (read(signals_.get(), &info, sizeof info) > 0) return {.kind = HostEvent::Kind::kInterrupted};
    }
    if (fds[3].revents && !dial_helper_.Restart())
      return {.kind = HostEvent::Kind::kNotice,
              .severity = "error",
              .text = "the dial helper ended at once: destinations outside the mesh cannot be reached"};
    // Last: what it said before its end is told first.
    if (fds[2].revents && !(fds[0].revents & POLLIN)) return {.kind = HostEvent::Kind::kEnded, .in_order = stopping_};
    if (fds[2].revents && (fds[0].revents & POLLHUP)) {
      while (true) {
        Result<ReceivedMessage> rest = ReceiveMessage(channel_.get());
        if (!rest) return {.kind = HostEvent::Kind::kEnded, .in_order = stopping_};
        if (rest->message.kind == OuterMessage::Kind::kNotice)
          return {.kind = HostEvent::Kind::kNotice, .severity = rest->message.severity, .text = rest->message.text};
      }
    }
  }
}

}  // namespace plait::local
