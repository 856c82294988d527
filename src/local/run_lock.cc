#include "local/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/base/strings.h"

namespace plait::local {
namespace {

std::string ReadAll(int fd) {
  std::string text(4096, '\0');
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

// Somebody may have unlinked or replaced the file between open and flock.
bool IsStillThere(int fd, const std::string& path) {
  struct stat mine{};
  struct stat there{};
  return fstat(fd, &mine) == 0 && stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

void RemoveAllBut(const std::string& folder, const std::string& keep) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().string() != keep) RemoveTree(entry.path().string());
}

// Waits until nobody holds this lock exclusively, as its owner does; true also when there is no such file. Those who
// wait share it for a moment, so that they do not hold each other up.
bool UnlockedWithin(const std::string& file, int milliseconds) {
  for (int waited = 0;; waited += 5) {
    const io::UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd || flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return true;
    if (waited >= milliseconds) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

Outcome<RunLock> RunLock::Acquire(const MeshPaths& paths, const std::string& what) {
  const std::string parent = std::filesystem::path(paths.run).parent_path().string();
  for (int attempt = 0; attempt < 10; ++attempt) {
    if (Outcome<> made = MakePrivateFolder(parent); !made) return std::unexpected(made.error());
    if (Outcome<> made = MakePrivateFolder(paths.run); !made) return std::unexpected(made.error());
    io::UniqueFd fd(open(paths.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd && errno == ENOENT) continue;  // removed by a mesh that ends just now
    if (!fd) return Explain(Errc::kDenied, "cannot open " + paths.lock() + ": " + strerror(errno));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      const std::string owner(Trim(ReadAll(fd.get())));
      return Explain(Errc::kUnavailable, "mesh \"" + paths.name + "\" is running already (" + owner + ")",
                     "stop it with `plait down" + paths.named() + "`, or start another with --name");
    }
    if (!IsStillThere(fd.get(), paths.lock())) continue;
    RemoveAllBut(paths.run, paths.lock());
    const std::string text = "pid " + std::to_string(getpid()) + ", " + what + "\n";
    if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), text.data(), text.size(), 0) < 0)
      return Explain(Errc::kInternal, "cannot write " + paths.lock() + ": " + strerror(errno));
    return RunLock(std::move(fd), paths.run);
  }
  return Explain(Errc::kUnavailable, "the lock " + paths.lock() + " keeps vanishing");
}

void RunLock::RemoveRunFolder() {
  RemoveAllBut(run_, run_ + "/lock");
  unlink((run_ + "/lock").c_str());
  rmdir(run_.c_str());
  rmdir(std::filesystem::path(run_).parent_path().c_str());  // stays while other meshes have folders in it
}

Outcome<> AwaitFreeState(const MeshPaths& paths, int milliseconds) {
  if (UnlockedWithin(paths.state + "/plaitd.lock", milliseconds)) return {};  // as plaitd names it
  return Explain(Errc::kDenied, "another mesh uses the state directory " + paths.state,
                 "let PLAIT_STATE_DIR name another directory for this mesh, or end the other one");
}

bool WaitUntilUnlocked(const MeshPaths& paths, int milliseconds) { return UnlockedWithin(paths.lock(), milliseconds); }

}  // namespace plait::local
