#include "cli/bounded_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/io/unique_fd.h"

namespace plait::cli {
namespace {
std::unexpected<Diagnostic> Refuse(const std::string& path, std::string message, std::string hint = {}) {
  return std::unexpected(Diagnostic{.message = std::move(message), .at = {.file = path}, .hint = std::move(hint)});
}

const char* KindOf(mode_t mode) {
  return S_ISDIR(mode) ? "a directory" : S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "a socket";
}
}  // namespace

Outcome<std::string> ReadBounded(const std::string& path, std::size_t limit) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return Refuse(path, std::string("cannot be read: ") + std::strerror(errno));
  // Before it is opened: to open a device may be to use it.
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
    return Refuse(path, std::string("is ") + KindOf(info.st_mode), "name a regular file or a pipe");
  const io::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Refuse(path, std::string("cannot be read: ") + std::strerror(errno));
  std::string text;
  char piece[64 * 1024];
  // A file says 0 of its size where it is made while it is read, as in /proc, and may grow meanwhile.
  bool too_large = S_ISREG(info.st_mode) && static_cast<std::size_t>(info.st_size) > limit;
  while (!too_large) {
    const ssize_t n = ::read(fd.get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Refuse(path, std::string("cannot be read to its end: ") + std::strerror(errno));
    if (n == 0) return text;
    text.append(piece, static_cast<std::size_t>(n));
    too_large = text.size() > limit;
  }
  return Refuse(path, "has more than " + std::to_string(limit) + " bytes");
}

}  // namespace plait::cli
