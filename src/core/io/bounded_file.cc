#include "core/io/bounded_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/io/unique_fd.h"

namespace plait::io {
namespace {
std::unexpected<Diagnostic> Refuse(Errc code, const std::string& path, std::string message, std::string hint = {}) {
  return std::unexpected(Diagnostic{
      .code = code, .message = std::move(message), .object = {}, .at = {.file = path}, .hint = std::move(hint)});
}

std::unexpected<Diagnostic> Unreadable(const std::string& path, const char* what) {
  return Refuse(Errc::kNotFound, path, std::string(what) + ": " + std::strerror(errno),
                "check that it exists and who may read it");
}

const char* KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "a socket";
}
}  // namespace

Outcome<std::string> ReadBounded(const std::string& path, std::size_t limit, Pipes pipes) {
  const auto is_taken = [pipes](mode_t mode) { return S_ISREG(mode) || (S_ISFIFO(mode) && pipes == Pipes::kRead); };
  const auto refuse_kind = [&](mode_t mode) {
    return Refuse(Errc::kInvalidInput, path, std::string("is ") + KindOf(mode),
                  pipes == Pipes::kRead ? "name a regular file or a pipe" : "name a regular file");
  };
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return Unreadable(path, "cannot be read");
  // Before it is opened: to open a device may be to use it.
  if (!is_taken(info.st_mode)) return refuse_kind(info.st_mode);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | (pipes == Pipes::kRead ? 0 : O_NONBLOCK)));
  if (!fd || ::fstat(fd.get(), &info) != 0) return Unreadable(path, "cannot be read");
  if (!is_taken(info.st_mode)) return refuse_kind(info.st_mode);  // another one meanwhile
  std::string text;
  char piece[64 * 1024];
  // A file says 0 of its size where it is made while it is read, as in /proc, and may grow meanwhile.
  bool too_large = S_ISREG(info.st_mode) && static_cast<std::size_t>(info.st_size) > limit;
  while (!too_large) {
    const ssize_t n = ::read(fd.get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unreadable(path, "cannot be read to its end");
    if (n == 0) return text;
    text.append(piece, static_cast<std::size_t>(n));
    too_large = text.size() > limit;
  }
  return Refuse(Errc::kLimit, path, "has more than " + std::to_string(limit) + " bytes",
                "check that it is the file that is meant");
}

}  // namespace plait::io
