#include "core/io/unique_fd.h"

#include <unistd.h>

namespace plait::io {
void UniqueFd::Reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}
}  // namespace plait::io
