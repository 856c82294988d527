#include "local/dial_helper.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/io/passed_socket.h"
#include "local/confine.h"
#include "local/mounts.h"
#include "local/nameservers.h"

namespace plait::local {
namespace {

constexpr std::int64_t kTooSoonMs = 1000;

std::int64_t NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

struct Answer {
  std::string text;
  io::UniqueFd socket;
};

Answer AnswerTo(const io::DialQuestion& question, Port debug_port) {
  const std::expected<io::SocketAddress, int> to = TranslateOutside(question.to, debug_port);
  std::expected<io::UniqueFd, int> socket = to ? io::BeginConnect(*to) : std::unexpected(to.error());
  // Proxies ask the host's resolvers over UDP, and so they may over TCP, wherever they are: 127.0.0.53, fe80::1%eth0.
  if (!socket)
    if (auto resolver = DialNameserver(ReadNameservers(ReadWholeFile(ResolvConfPath())), question.to))
      socket = std::move(resolver);
  if (!socket) return {io::Encode(io::DialAnswer{question.id, socket.error()}), {}};
  return {io::Encode(io::DialAnswer{question.id, 0}), std::move(*socket)};
}

class Server;

// One worker of a proxy. Its next question is read when the answer to the last one has gone.
class Session final : public io::FdEvents {
 public:
  Session(Server& server, io::UniqueFd client);
  ~Session() override;

 private:
  void OnFdReady(std::uint32_t events) override;
  Result<> Send();  // the answer, if there is one
  Result<> ReadOne();

  Server& server_;
  io::UniqueFd client_;
  std::optional<Answer> answer_;
};

class Server {
 public:
  Server(io::Loop& loop, int listener, Port debug_port)
      : loop_(loop), debug_port_(debug_port), listener_(loop, listener, false, [this](io::UniqueFd client) {
          sessions_.push_back(std::make_unique<Session>(*this, std::move(client)));
        }) {}
  io::Loop& loop() noexcept { return loop_; }
  Port debug_port() const noexcept { return debug_port_; }
  void Drop(const Session& session) {
    const auto found =
        std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s.get() == &session; });
    if (found == sessions_.end()) return;
    loop_.DeleteLater(std::move(*found));
    sessions_.erase(found);
  }

 private:
  io::Loop& loop_;
  const Port debug_port_;
  std::vector<std::unique_ptr<Session>> sessions_;
  io::Listener listener_;
};

Session::Session(Server& server, io::UniqueFd client) : server_(server), client_(std::move(client)) {
  server_.loop().Watch(client_.get(), *this, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

Session::~Session() { server_.loop().Unwatch(client_.get(), *this); }

void Session::OnFdReady(std::uint32_t) {
  for (;;) {
    Result<> done = Send();
    if (done) done = ReadOne();
    if (done) continue;
    if (done.error().code != Errc::kUnavailable) server_.Drop(*this);
    return;
  }
}

Result<> Session::Send() {
  if (!answer_) return {};
  const std::vector<int> fds = answer_->socket ? std::vector<int>{answer_->socket.get()} : std::vector<int>{};
  if (Result<> sent = io::SendFds(client_.get(), answer_->text, fds); !sent) return sent;
  answer_.reset();  // with our copy of the socket: otherwise its end would not be one
  return {};
}

Result<> Session::ReadOne() {
  Result<io::FdMessage> message = io::ReceiveFds(client_.get());
  if (!message) return std::unexpected(message.error());
  const Result<io::DialQuestion> question = io::ParseDialQuestion(message->message);
  if (!question) return std::unexpected(question.error());
  answer_ = AnswerTo(*question, server_.debug_port());
  return {};
}

// The end of `plait` is ours.
class Alive final : public io::FdEvents {
 public:
  Alive(io::Loop& loop, int fd) : loop_(loop), fd_(fd) { loop_.Watch(fd_, *this, EPOLLIN | EPOLLRDHUP | EPOLLET); }
  ~Alive() override { loop_.Unwatch(fd_, *this); }

 private:
  void OnFdReady(std::uint32_t) override { loop_.Stop(); }
  io::Loop& loop_;
  const int fd_;
};

// In the child: the two descriptors, and nothing else of the caller's.
[[noreturn]] void Become(int alive, int listener, Port debug_port) {
  ResetSignals();
  setsid();  // Ctrl-C is for `plait`, which lets the mesh drain first
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int high_alive = fcntl(alive, F_DUPFD_CLOEXEC, 64);
  const int high_listener = fcntl(listener, F_DUPFD_CLOEXEC, 64);
  for (const auto& [from, to] : {std::pair{null, 0}, {null, 1}, {null, 2}, {high_alive, 3}, {high_listener, 4}})
    if (dup2(from, to) < 0) _exit(1);
  syscall(SYS_close_range, 5U, ~0U, 0U);
  execl("/proc/self/exe", "plait", "@dial-helper", "3", "4", std::to_string(debug_port.value).c_str(), nullptr);
  _exit(1);
}

}  // namespace

io::IpAddress HostLoopback() { return io::IpAddress::V4(0xa9fe0701); }  // 169.254.7.1, link-local

std::expected<io::SocketAddress, int> TranslateOutside(const io::SocketAddress& to, Port debug_port) {
  if (to.ip.is_loopback() || to.ip.is_unspecified()) return std::unexpected(EACCES);
  if (to.ip != HostLoopback()) return to;
  if (to.port == debug_port) return std::unexpected(EACCES);
  return io::SocketAddress{.ip = io::IpAddress::V4(INADDR_LOOPBACK), .port = to.port, .unix_path = {}};
}

Outcome<DialHelper> DialHelper::Start(const std::string& path, Port debug_port) {
  DialHelper helper;
  helper.debug_port_ = debug_port;
  helper.listener_.Reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage native{};
  const socklen_t length = io::SocketAddress{.ip = {}, .port = {}, .unix_path = path}.ToNative(native);
  unlink(path.c_str());
  if (!helper.listener_ || bind(helper.listener_.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0 ||
      listen(helper.listener_.get(), 1024) != 0)
    return Explain(Errc::kDenied, "cannot open " + path + ": " + strerror(errno));
  if (Outcome<> spawned = helper.Spawn(); !spawned) return std::unexpected(spawned.error());
  return helper;
}

Outcome<> DialHelper::Spawn() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Explain(Errc::kLimit, std::string("cannot make a socket: ") + strerror(errno));
  alive_.Reset(ends[0]);
  const io::UniqueFd theirs(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return Explain(Errc::kLimit, std::string("cannot start a process: ") + strerror(errno));
  if (pid == 0) Become(theirs.get(), listener_.get(), debug_port_);
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  started_ms_ = NowMs();
  return {};
}

bool DialHelper::Restart() {
  siginfo_t info{};
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED);
  pidfd_.Reset();
  if (NowMs() - started_ms_ >= kTooSoonMs && Spawn()) return true;
  restart_ms_ = NowMs() + kTooSoonMs;
  return false;
}

int DialHelper::RestartsIn() const noexcept {
  return restart_ms_ == 0 ? -1 : static_cast<int>(std::max<std::int64_t>(0, restart_ms_ - NowMs()));
}

void DialHelper::RestartIfDue() {
  if (restart_ms_ == 0 || NowMs() < restart_ms_) return;
  restart_ms_ = Spawn() ? 0 : NowMs() + kTooSoonMs;
}

DialHelper::~DialHelper() {
  if (!pidfd_) return;
  alive_.Reset();
  siginfo_t info{};
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED);
}

int DialHelperMain(int alive, int listener, Port debug_port) {
  // Beside the end of the socket: if `plait` leaked its end into some child.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  for (const int fd : {alive, listener}) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  io::Loop loop;
  Alive watch(loop, alive);
  Server server(loop, listener, debug_port);
  loop.Run();
  return 0;
}

}  // namespace plait::local
