// Stream over a non-blocking socket: one file descriptor, one epoll registration, no buffer of its own.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/check.h"
#include "core/io/passed_socket.h"
#include "core/io/socket.h"

namespace plait::io {
namespace {

constexpr std::uint32_t kAllEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

Error ErrorOfErrno(int code) {
  switch (code) {
    case ECONNREFUSED: return {Errc::kUnavailable, "connection refused"};
    case ETIMEDOUT: return {Errc::kTimedOut, "connection timed out"};
    case EHOSTUNREACH: return {Errc::kUnavailable, "no route to host"};
    case ENETUNREACH: return {Errc::kUnavailable, "network unreachable"};
    case ECONNRESET: return {Errc::kPeerReset, "connection reset by peer"};
    case EPIPE: return {Errc::kPeerReset, "broken pipe"};
    case EADDRNOTAVAIL: return {Errc::kLimit, "no free local port"};
    case EMFILE:
    case ENFILE: return {Errc::kLimit, "no free file descriptor"};
    case EACCES:
    case EPERM: return {Errc::kDenied, "permission denied"};
    case ENOENT: return {Errc::kUnavailable, "no such socket"};
    default: return {Errc::kInternal, "socket error"};
  }
}

class SocketStream final : public Stream, private FdEvents {
 public:
  // `connecting`: connect(2) is under way on `fd`.
  SocketStream(Loop& loop, UniqueFd fd, bool connecting, Duration connect_timeout)
      : loop_(loop), fd_(std::move(fd)), state_(connecting ? State::kConnecting : State::kOpening) {
    // A socket that is connected already is writable: its first event, in the next round, opens the stream.
    loop_.Watch(fd_.get(), *this, kAllEvents);
    if (!connecting) {
      ReadAddresses();
      return;
    }
    timer_ = std::make_unique<Timer>([this] { FailWith({Errc::kTimedOut, "connection timed out"}); });
    timer_->Start(loop_.timers(), connect_timeout);
  }
  // A connection attempt that failed at once; told in a later round.
  SocketStream(Loop& loop, Error error) : loop_(loop), state_(State::kConnecting) {
    timer_ = std::make_unique<Timer>([this, error] { FailWith(error); });
    timer_->Start(loop_.timers(), Duration(0));
  }
  ~SocketStream() override { Forget(); }

  void SetEvents(StreamEvents* events) noexcept override { events_ = events; }
  Result<std::size_t> Read(Buffer& into, std::size_t max) override;
  Result<std::size_t> Write(Buffer& from) override;
  void ShutdownWrite() override {
    if (fd_) ::shutdown(fd_.get(), SHUT_WR);
  }
  void Close(bool reset) noexcept override;
  const SocketAddress& local() const noexcept override { return local_; }
  const SocketAddress& remote() const noexcept override { return remote_; }
  int fd() const noexcept override { return fd_.get(); }

 private:
  // kConnecting -> (connected) kOpen; kOpening -> (first event) kOpen; any -> (error, time-out) kFailed; any -> (Close)
  // kClosed.
  enum class State : std::uint8_t { kConnecting, kOpening, kOpen, kFailed, kClosed };

  void OnFdReady(std::uint32_t events) override;
  void FailWith(Error error);
  void ReadAddresses() {
    local_ = LocalAddress(fd_.get());
    remote_ = PeerAddress(fd_.get());
  }
  void Forget() noexcept {
    if (fd_) loop_.Unwatch(fd_.get(), *this);
    fd_.Reset();
    timer_.reset();
  }

  Loop& loop_;
  UniqueFd fd_;
  State state_;
  bool maybe_readable_ = true;  // false once a read got less than it had room for
  bool end_announced_ = false;  // RDHUP or HUP came: read until the end shows itself
  bool write_blocked_ = false;
  StreamEvents* events_ = nullptr;
  std::unique_ptr<Timer> timer_;  // only while connecting
  SocketAddress local_, remote_;
};

void SocketStream::OnFdReady(std::uint32_t events) {
  if (state_ == State::kConnecting || state_ == State::kOpening) {
    if (state_ == State::kConnecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return FailWith(ErrorOfErrno(error));
      if ((events & EPOLLOUT) == 0) return;
      ReadAddresses();
    }
    timer_.reset();
    state_ = State::kOpen;
    if (events_ != nullptr) events_->OnOpen();
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) end_announced_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    maybe_readable_ = true;
    if (state_ == State::kOpen && events_ != nullptr) events_->OnReadable();
  }
  if ((events & EPOLLOUT) != 0 && write_blocked_) {
    write_blocked_ = false;
    if (state_ == State::kOpen && events_ != nullptr) events_->OnWritable();
  }
}

void SocketStream::FailWith(Error error) {
  state_ = State::kFailed;
  Forget();
  if (events_ != nullptr) events_->OnFailed(error);
}

Result<std::size_t> SocketStream::Read(Buffer& into, std::size_t max) {
  if (state_ != State::kOpen) return Fail(Errc::kUnavailable, "stream is not open");
  std::size_t total = 0;
  while (total < max && (maybe_readable_ || end_announced_)) {
    MutableBytes room = into.Reserve(std::min<std::size_t>(max - total, 4096));
    if (room.size() > max - total) room = room.first(max - total);
    const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), 0);
    into.Commit(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n > 0) {
      total += static_cast<std::size_t>(n);
      // A short read has emptied the socket; what comes later gives an edge, the end of the stream included.
      if (static_cast<std::size_t>(n) < room.size()) maybe_readable_ = false;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      maybe_readable_ = false;
      end_announced_ = false;
      break;
    }
    if (total > 0) return total;  // the end is told by the next call
    if (n == 0) return Fail(Errc::kPeerClosed, "peer closed");
    return std::unexpected(ErrorOfErrno(errno));
  }
  return total;
}

Result<std::size_t> SocketStream::Write(Buffer& from) {
  if (state_ != State::kOpen) return Fail(Errc::kUnavailable, "stream is not open");
  std::size_t total = 0;
  while (!from.empty()) {
    std::array<iovec, 16> pieces;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = static_cast<std::size_t>(from.Gather(pieces.data(), static_cast<int>(pieces.size())));
    const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      write_blocked_ = true;
      break;
    }
    if (n < 0) return std::unexpected(ErrorOfErrno(errno));
    from.Drain(static_cast<std::size_t>(n));
    total += static_cast<std::size_t>(n);
  }
  return total;
}

void SocketStream::Close(bool reset) noexcept {
  if (reset && fd_) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  state_ = State::kClosed;
  events_ = nullptr;
  Forget();
}

void SetKeepAlive(int fd, const KeepAlive& keep) {
  const auto seconds = [](Duration d) { return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(d).count()); };
  const int on = 1;
  const int idle = seconds(keep.idle);
  const int interval = seconds(keep.interval);
  const int probes = static_cast<int>(keep.probes);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

// Errors: those of socket(2) and bind(2).
std::expected<UniqueFd, int> OpenSocket(const SocketAddress& to, const ConnectOptions& options) {
  const int family = to.is_unix() ? AF_UNIX : to.ip.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno);
  if (to.is_unix()) return fd;
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // EPERM: no right to mark, so there is no capture that the mark would have to avoid.
  if (options.mark != 0) setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &options.mark, sizeof options.mark);
  if (options.keep_alive) SetKeepAlive(fd.get(), *options.keep_alive);
  if (options.bind) {
    if (!options.bind->port) setsockopt(fd.get(), SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_storage native;
    const socklen_t size = options.bind->ToNative(native);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&native), size) != 0) return std::unexpected(errno);
  }
  return fd;
}

// Errors: those of connect(2) too.
std::expected<UniqueFd, int> OpenConnecting(const SocketAddress& to, const ConnectOptions& options) {
  auto fd = OpenSocket(to, options);
  if (!fd) return fd;
  sockaddr_storage native;
  const socklen_t size = to.ToNative(native);
  int connected = 0;
  do connected = ::connect(fd->get(), reinterpret_cast<const sockaddr*>(&native), size);
  while (connected != 0 && errno == EINTR);
  if (connected != 0 && errno != EINPROGRESS) return std::unexpected(errno);
  return fd;
}

}  // namespace

std::unique_ptr<Stream> Connect(Loop& loop, const SocketAddress& to, const ConnectOptions& options) {
  auto fd = OpenConnecting(to, options);
  if (!fd) return FailedStream(loop, fd.error());
  return std::make_unique<SocketStream>(loop, std::move(*fd), /*connecting=*/true, options.timeout);
}

std::expected<UniqueFd, int> BeginConnect(const SocketAddress& to) { return OpenConnecting(to, {}); }

std::unique_ptr<Stream> AdoptConnecting(Loop& loop, UniqueFd fd, const ConnectOptions& options) {
  PLAIT_CHECK(fd);
  if (options.keep_alive) SetKeepAlive(fd.get(), *options.keep_alive);
  return std::make_unique<SocketStream>(loop, std::move(fd), /*connecting=*/true, options.timeout);
}

std::unique_ptr<Stream> FailedStream(Loop& loop, int error) {
  return std::make_unique<SocketStream>(loop, ErrorOfErrno(error));
}

std::unique_ptr<Stream> AdoptSocket(Loop& loop, UniqueFd fd, const std::optional<KeepAlive>& keep_alive) {
  PLAIT_CHECK(fd);
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails harmlessly on Unix sockets
  if (keep_alive) SetKeepAlive(fd.get(), *keep_alive);
  return std::make_unique<SocketStream>(loop, std::move(fd), /*connecting=*/false, Duration(0));
}

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> StreamPair(Loop& loop) {
  std::array<int, 2> fds{};
  PLAIT_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {AdoptSocket(loop, UniqueFd(fds[0])), AdoptSocket(loop, UniqueFd(fds[1]))};
}

}  // namespace plait::io
