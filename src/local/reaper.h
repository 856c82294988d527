#pragma once
// Children of the supervisor, which is pid 1 of the mesh: it waits for all, also for those that it did not start
// (orphans of setters and proxies). One loop thread.
#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>

#include "core/base/pending.h"
#include "core/io/loop.h"
#include "core/io/unique_fd.h"

namespace plait::local {

// How a process ended, as shells tell it: 0 to 255, 128 + signal when killed.
struct ProcessEnd {
  int code = 0;
  int signal = 0;                // 0: it exited by itself
  std::string ToString() const;  // "exit code 3", "signal 9 (Killed)"
};

class Reaper final : private io::FdEvents {
 public:
  // Blocks SIGCHLD in this thread; children unblock it (ResetSignals).
  explicit Reaper(io::Loop& loop);
  ~Reaper() override;

  using OnEnd = std::move_only_function<void(ProcessEnd)>;
  // Tells once when `pid` has ended, also when it has already. The call never runs inside Watch.
  [[nodiscard]] Pending Watch(pid_t pid, OnEnd on_end);
  // Whether any child is left.
  bool HasChildren() const;

 private:
  struct Watcher;
  void OnFdReady(std::uint32_t events) override;
  void Reap();
  void Tell(pid_t pid, ProcessEnd end);

  io::Loop& loop_;
  io::UniqueFd signals_;
  std::unordered_map<pid_t, Watcher*> watchers_;
  std::deque<std::pair<pid_t, ProcessEnd>> unclaimed_;  // ended before their starter asked; bounded
};

}  // namespace plait::local
