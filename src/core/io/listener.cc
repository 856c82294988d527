#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/log.h"
#include "core/io/socket.h"

namespace plait::io {
namespace {
log::Component kLog("listener");

// One round takes this many, so that a storm of connections does not starve those that are open.
constexpr int kBatch = 64;
constexpr Duration kPauseWithoutDescriptors = std::chrono::milliseconds(100);
constexpr Duration kTellAgain = std::chrono::minutes(1);

SocketAddress AddressOf(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage native{};
  socklen_t size = sizeof native;
  if (get(fd, reinterpret_cast<sockaddr*>(&native), &size) != 0) return {};
  return SocketAddress::FromNative(reinterpret_cast<const sockaddr*>(&native), size);
}
}  // namespace

SocketAddress LocalAddress(int fd) { return AddressOf(fd, ::getsockname); }
SocketAddress PeerAddress(int fd) { return AddressOf(fd, ::getpeername); }

Outcome<UniqueFd> ListenOn(const SocketAddress& address, const ListenOptions& options) {
  const auto fail = [&](const char* what) {
    const int code = errno;
    const Errc kind = code == EACCES ? Errc::kDenied : code == EADDRINUSE ? Errc::kUnavailable : Errc::kInternal;
    std::string hint;
    if (code == EADDRINUSE) hint = "another process listens there; stop it or choose another port";
    if (code == EACCES) hint = "ports below net.ipv4.ip_unprivileged_port_start need the right to bind them";
    return Explain(kind, std::string("cannot ") + what + " " + address.ToString() + ": " + std::strerror(code), hint);
  };
  const int family = address.is_unix() ? AF_UNIX : address.ip.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail("make a socket for");
  const int on = 1;
  const int v6_only = options.v6_only ? 1 : 0;
  if (!address.is_unix()) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  if (options.transparent && (family == AF_INET6 ? setsockopt(fd.get(), SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof on)
                                                 : setsockopt(fd.get(), SOL_IP, IP_TRANSPARENT, &on, sizeof on)) != 0)
    return fail("make transparent the socket for");
  sockaddr_storage native;
  const socklen_t size = address.ToNative(native);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&native), size) != 0) return fail("bind");
  if (::listen(fd.get(), options.backlog) != 0) return fail("listen on");
  return fd;
}

Listener::Listener(Loop& loop, int fd, bool shared, OnAccept on_accept)
    : loop_(loop), fd_(fd), shared_(shared), on_accept_(std::move(on_accept)), resume_([this] {
        if (starved_) return Watch();
        OnFdReady(EPOLLIN);
      }) {
  Watch();
}

Listener::~Listener() {
  if (!paused_ && !starved_) loop_.Unwatch(fd_, *this);
}

// Registering again reports what waits in the backlog.
void Listener::Watch() {
  starved_ = false;
  loop_.Watch(fd_, *this, EPOLLIN | (shared_ ? static_cast<std::uint32_t>(EPOLLEXCLUSIVE) : 0U));
}

void Listener::Pause() {
  if (paused_) return;
  paused_ = true;
  resume_.Cancel();
  if (!starved_) loop_.Unwatch(fd_, *this);
}

void Listener::Resume() {
  if (!paused_) return;
  paused_ = false;
  Watch();
}

// Unwatched, or each connection that comes meanwhile would wake the loop in vain.
void Listener::WaitForDescriptors() {
  if (told_ == MonotonicTime{} || loop_.Now() - told_ >= kTellAgain) {
    told_ = loop_.Now();
    kLog.Warn("cannot accept at " + LocalAddress(fd_).ToString() + ": " + std::strerror(errno) +
              "; connections wait, and it is tried again each 100 ms (raise the limit of open files, ulimit -n)");
  }
  starved_ = true;
  loop_.Unwatch(fd_, *this);
  resume_.Start(loop_.timers(), kPauseWithoutDescriptors);
}

void Listener::OnFdReady(std::uint32_t /*events*/) {
  for (int accepted = 0; accepted < kBatch;) {
    if (paused_) return;  // by the callback
    UniqueFd fd(::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      ++accepted;
      on_accept_(std::move(fd));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return WaitForDescriptors();
    kLog.Error(std::string("accept failed: ") + std::strerror(errno));
    return;
  }
  resume_.Start(loop_.timers(), Duration(0));  // the rest in the next round; no new edge would tell
}

Result<SocketAddress> OriginalDestination(int fd) {
  constexpr int kSoOriginalDst = 80;  // the same number in SOL_IP and SOL_IPV6 (linux/netfilter_*)
  sockaddr_storage native{};
  socklen_t size = sizeof native;
  if (getsockopt(fd, SOL_IP, kSoOriginalDst, &native, &size) != 0) {
    size = sizeof native;
    if (getsockopt(fd, SOL_IPV6, kSoOriginalDst, &native, &size) != 0)
      return Fail(Errc::kNotFound, "no original destination");
  }
  return SocketAddress::FromNative(reinterpret_cast<const sockaddr*>(&native), size);
}

}  // namespace plait::io
