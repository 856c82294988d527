// Descriptors from other processes: from the parent through the environment, from anyone over a Unix socket.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/base/strings.h"
#include "core/io/socket.h"

namespace plait::io {
namespace {
constexpr int kFirstInherited = 3;  // sd_listen_fds(3)
constexpr std::size_t kMaxFds = 64;
constexpr std::size_t kMaxMessage = 64 * 1024;
}  // namespace

std::vector<InheritedFd> TakeInheritedFds() {
  const char* count_text = std::getenv("LISTEN_FDS");
  const char* names_text = std::getenv("LISTEN_FDNAMES");
  const char* pid_text = std::getenv("LISTEN_PID");
  const std::uint64_t count = count_text != nullptr ? ParseUint(count_text).value_or(0) : 0;
  const bool mine = pid_text == nullptr || ParseUint(pid_text) == static_cast<std::uint64_t>(::getpid());
  const std::string names(names_text != nullptr ? names_text : "");
  for (const char* variable : {"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"}) ::unsetenv(variable);
  std::vector<InheritedFd> out;
  if (!mine || count > 4096) return out;
  const auto parts = Split(names, ':');
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = kFirstInherited + static_cast<int>(i);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) continue;  // not open: the parent's list was too long
    const int flags = ::fcntl(fd, F_GETFL);
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    out.push_back({.name = i < parts.size() ? std::string(parts[i]) : std::string(), .fd = UniqueFd(fd)});
  }
  return out;
}

Result<> SendFds(int socket, std::string_view message, const std::vector<int>& fds) {
  if (fds.size() > kMaxFds || message.size() > kMaxMessage) return Fail(Errc::kLimit, "descriptor message too large");
  iovec piece{.iov_base = const_cast<char*>(message.data()), .iov_len = message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t n = 0;
  do n = ::sendmsg(socket, &header, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(message.size())) return {};
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Fail(Errc::kUnavailable, "socket is full");
  return Fail(Errc::kPeerReset, "cannot send descriptors");
}

Result<FdMessage> ReceiveFds(int socket) {
  FdMessage out;
  out.message.resize(kMaxMessage);
  iovec piece{.iov_base = out.message.data(), .iov_len = out.message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = 0;
  do n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Fail(Errc::kUnavailable, "nothing to receive");
  if (n < 0) return Fail(Errc::kPeerReset, "cannot receive descriptors");
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      out.fds.emplace_back(fd);
    }
  }
  if (n == 0 && out.fds.empty()) return Fail(Errc::kPeerClosed, "peer closed");
  if ((header.msg_flags & MSG_TRUNC) != 0) return Fail(Errc::kLimit, "descriptor message too large");
  if ((header.msg_flags & MSG_CTRUNC) != 0) return Fail(Errc::kLimit, "no free file descriptor for those of a message");
  out.message.resize(static_cast<std::size_t>(n));
  return out;
}

}  // namespace plait::io
