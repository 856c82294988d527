#include "control/serve/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/strings.h"

namespace plait::control::serve {
namespace {

std::unexpected<Diagnostic> Problem(Errc code, const std::string& directory, std::string why, std::string hint) {
  return std::unexpected(Diagnostic{
      .code = code, .message = std::move(why), .object = {}, .at = {.file = directory}, .hint = std::move(hint)});
}

}  // namespace

Outcome<io::UniqueFd> LockState(const std::string& directory) {
  constexpr const char* kChoose = "choose a directory that plaitd may write with --state-dir";
  std::error_code error;
  if (std::filesystem::create_directories(directory, error))
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  if (error)
    return Problem(Errc::kDenied, directory, "the state directory cannot be made: " + error.message(), kChoose);
  const std::string file = directory + "/plaitd.lock";
  io::UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock)
    return Problem(Errc::kDenied, directory,
                   std::string("the state directory cannot be written: plaitd.lock: ") + std::strerror(errno), kChoose);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    char text[32];
    const ssize_t n = ::pread(lock.get(), text, sizeof text, 0);
    const std::string owner(Trim(std::string_view(text, n > 0 ? static_cast<std::size_t>(n) : 0)));
    return Problem(Errc::kUnavailable, directory, "another plaitd (pid " + owner + ") uses this state directory",
                   "stop it, or give each its own --state-dir");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // For people only: a full disk does not matter here.
  [[maybe_unused]] const bool told =
      ::ftruncate(lock.get(), 0) == 0 && ::pwrite(lock.get(), pid.data(), pid.size(), 0) > 0;
  return lock;
}

}  // namespace plait::control::serve
