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

#include "core/base/strings.h"
#include "core/io/socket.h"
#include "local/confine.h"
#include "local/mounts.h"
#include "local/nameservers.h"

namespace plait::local {
namespace {

constexpr Port kDebugPort{15014};
constexpr Port kDefaultTlsPort{8443};
constexpr int kPortsTried = 200;
constexpr int kLastPort = 65535;
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

bool TakesGatewayPort(Port gateway) { return gateway == Port{80} || gateway == Port{8080}; }

Port HostPortFor(Port gateway, Port chosen) {
  if (TakesGatewayPort(gateway)) return chosen;
  if (gateway == Port{443} || gateway == Port{8443}) return chosen ? kDefaultTlsPort : Port{};
  return gateway;
}

// On this port and no other (0: any). Errors say why in words of who chose it.
Outcome<io::UniqueFd> ListenExactly(Port port) {
  Outcome<io::UniqueFd> fd = io::ListenOn({.ip = io::IpAddress::V4(0x7f000001), .port = port});
  if (fd) return fd;
  const std::string number = "port " + std::to_string(port.value);
  const Errc code = fd.error().code;
  const char* const hint = "another --port, or --port 0 for any free one";
  if (code == Errc::kUnavailable) return Explain(code, number + " of this host is taken by another program", hint);
  if (code != Errc::kDenied) return fd;
  const std::string first(Trim(ReadWholeFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")));
  return Explain(code, number + " is below " + (first.empty() ? "1024" : first) + ", where only root may listen", hint);
}

}  // namespace

Outcome<HostSocket> ListenOnHost(Port wanted) {
  std::string moved;
  for (int i = 0; wanted && i < kPortsTried && wanted.value + i <= kLastPort; ++i) {
    const Port port{static_cast<std::uint16_t>(wanted.value + i)};
    Outcome<io::UniqueFd> fd = ListenExactly(port);
    if (fd) return HostSocket{std::move(*fd), port, std::move(moved)};
    if (i == 0) moved = fd.error().message;
  }
  Outcome<io::UniqueFd> fd = ListenExactly(Port{});
  if (!fd) return std::unexpected(fd.error());
  const Port port = io::LocalAddress(fd->get()).port;
  return HostSocket{std::move(*fd), port, std::move(moved)};
}

Outcome<std::unique_ptr<HostMesh>> HostMesh::Start(const UpOptions& options, GatewayPort gateway, MeshFiles files) {
  Outcome<RunLock> lock = RunLock::Acquire(options.paths, options.directory);
  if (!lock) return std::unexpected(lock.error());
  // From here on there is something to remove when one of them comes.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  std::unique_ptr<HostMesh> mesh(new HostMesh(options, gateway, std::move(*lock)));
  if (Outcome<> reserved = mesh->ReserveChosenPort(); !reserved) return std::unexpected(reserved.error());
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

Outcome<> HostMesh::ReserveChosenPort() {
  if (!gateway_.chosen || !gateway_.port) return {};
  Outcome<io::UniqueFd> fd = ListenExactly(gateway_.port);
  if (!fd && fd.error().code == Errc::kUnavailable) return {};  // taken: the next free one does, and is told
  if (!fd) return std::unexpected(fd.error());
  reserved_ = std::move(*fd);
  given_.insert(gateway_.port);
  return {};
}

Outcome<> HostMesh::OpenDebugSocket() {
  Outcome<HostSocket> socket = ListenOnHost(gateway_.port ? kDebugPort : Port{});
  if (!socket) return std::unexpected(socket.error());
  debug_listener_ = std::move(socket->fd);
  debug_port_ = socket->port;
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
  // To one that is gone nothing need be said: its end comes as an event.
  [[maybe_unused]] const Result<> sent = SendMessage(channel_.get(), {.kind = OuterMessage::Kind::kStop});
}

void HostMesh::Kill() {
  if (process_.pidfd) syscall(SYS_pidfd_send_signal, process_.pidfd.get(), SIGKILL, nullptr, 0);
}

std::optional<HostEvent> HostMesh::OnListen(Port port) {
  const Port wanted = HostPortFor(port, gateway_.port);
  const bool chosen = gateway_.chosen && TakesGatewayPort(port);
  const bool own = given_.contains(wanted);
  Outcome<HostSocket> socket =
      reserved_ && chosen ? HostSocket{std::move(reserved_), wanted, ""} : ListenOnHost(wanted);
  if (!socket) return HostEvent{.kind = HostEvent::Kind::kNotice, .severity = "error", .text = socket.error().message};
  given_.insert(socket->port);
  const OuterMessage answer{.kind = OuterMessage::Kind::kListening, .port = port, .host_port = socket->port};
  if (!SendMessage(channel_.get(), answer, {socket->fd.get()})) return std::nullopt;  // it ends, which is told
  if (socket->moved.empty() || own) return std::nullopt;  // the gateway's two ports for one are told when all is ready
  return HostEvent{.kind = HostEvent::Kind::kNotice,
                   .severity = chosen ? "warning" : "info",
                   .text = socket->moved + ": the gateway's port " + std::to_string(port.value) +
                           " is 127.0.0.1:" + std::to_string(socket->port.value)};
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
  [[maybe_unused]] const Result<> sent = SendMessage(channel_.get(), answer);
}

std::optional<HostEvent> HostMesh::OnChannel() {
  Result<ReceivedMessage> received = ReceiveMessage(channel_.get());
  if (!received) return std::nullopt;
  const OuterMessage& message = received->message;
  switch (message.kind) {
    case OuterMessage::Kind::kListen: return OnListen(message.port);
    case OuterMessage::Kind::kResolve: OnResolve(); return std::nullopt;
    case OuterMessage::Kind::kReady:
      if (reserved_) given_.erase(gateway_.port);
      reserved_.Reset();  // where no gateway listens, who connects is refused and does not wait
      return HostEvent{.kind = HostEvent::Kind::kReady, .severity = message.severity};
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
    const int restart = dial_helper_.RestartsIn();
    const bool restart_first = restart >= 0 && (milliseconds < 0 || restart < milliseconds);
    const int n = poll(fds, 4, restart_first ? restart : milliseconds);
    dial_helper_.RestartIfDue();
    if (n < 0 && errno == EINTR) continue;
    if (n == 0 && restart_first) continue;
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
              .text =
                  "the dial helper ended at once and is started again in a second: destinations outside the mesh "
                  "cannot be reached until then"};
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
