#pragma once
// Writing to what somebody else reads (standard output and error) without waiting for who reads.
#include <sys/types.h>

#include <string_view>

namespace plait {

// A pipe or terminal is opened anew where it may be: not to wait is then a matter of this process alone, whoever else
// writes to it. To a pipe of another user, which may not be opened, no more is given than it has room for.
class Outlet {
 public:
  explicit Outlet(int fd);  // `fd` stays the caller's, and open
  ~Outlet();
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;
  // As write(2) of a non-blocking descriptor: how much was taken, or -1 with errno, EAGAIN where there is no room. What
  // fits into PIPE_BUF is taken whole or not at all by a pipe. Any thread.
  ssize_t Write(std::string_view text) const noexcept;
  int fd() const noexcept { return fd_; }  // to poll

 private:
  enum class Kind { kPlain, kOtherUsersPipe, kSocket };
  int fd_;
  Kind kind_ = Kind::kPlain;
  bool own_ = false;
};

}  // namespace plait
