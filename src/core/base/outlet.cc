#include "core/base/outlet.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>

namespace plait {

Outlet::Outlet(int fd) : fd_(fd) {
  struct stat what{};
  if (fstat(fd, &what) != 0) return;
  if (S_ISSOCK(what.st_mode)) kind_ = Kind::kSocket;
  if (!S_ISFIFO(what.st_mode) && isatty(fd) == 0) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  if (const int again = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY); again >= 0) {
    fd_ = again;
    own_ = true;
  } else if (S_ISFIFO(what.st_mode)) {
    kind_ = Kind::kOtherUsersPipe;
  }
}

Outlet::~Outlet() {
  if (own_) close(fd_);
}

ssize_t Outlet::Write(std::string_view text) const noexcept {
  if (kind_ == Kind::kSocket) return send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (kind_ == Kind::kOtherUsersPipe) {
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&room, 1, 0) == 0) {
      errno = EAGAIN;
      return -1;
    }
    text = text.substr(0, PIPE_BUF);
  }
  return write(fd_, text.data(), text.size());
}

}  // namespace plait
