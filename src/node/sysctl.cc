#include "node/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/io/unique_fd.h"

namespace plait::node {

Outcome<> WriteNetSysctl(std::string_view name, std::string_view value) {
  // /proc/sys/net is a link to self/net's view, so it follows the thread's namespace at open.
  const std::string path = "/proc/sys/net/" + std::string(name);
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size())) return {};
  const int error = errno;
  return Explain(error == ENOENT ? Errc::kNotFound : Errc::kDenied,
                 "cannot set " + path + " to " + std::string(value) + ": " + strerror(error));
}

}  // namespace plait::node
