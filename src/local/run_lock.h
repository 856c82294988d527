#pragma once
// One mesh of a name at a time: a flock on <run>/lock, held by `plait` and by the supervisor. A run folder whose lock
// is free belongs to nobody and is replaced.
#include <optional>
#include <string>

#include "core/base/result.h"
#include "core/io/unique_fd.h"
#include "local/paths.h"

namespace plait::local {

class RunLock {
 public:
  // Makes the run folder, takes the lock and removes what an earlier mesh left. Errors: kUnavailable when a mesh of
  // that name runs (names its pid and folder), kDenied when the folder is not ours.
  static Outcome<RunLock> Acquire(const MeshPaths& paths, const std::string& what);
  int fd() const noexcept { return fd_.get(); }
  // Removes the whole run folder, lock last, while it is held.
  void RemoveRunFolder();

 private:
  RunLock(io::UniqueFd fd, std::string run) : fd_(std::move(fd)), run_(std::move(run)) {}
  io::UniqueFd fd_;
  std::string run_;
};

// Waits until no plaitd uses the state directory: that of a mesh that has just ended may still be about to. Errors:
// kDenied when one does, which is another mesh's while the lock of the name is held.
Outcome<> AwaitFreeState(const MeshPaths& paths, int milliseconds);

// Waits until nobody holds the lock, at most `milliseconds`; true also when there is no lock.
bool WaitUntilUnlocked(const MeshPaths& paths, int milliseconds);

}  // namespace plait::local
