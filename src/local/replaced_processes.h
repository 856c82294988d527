#pragma once
// Proxies in whose place others are: they drain and end themselves; one that hangs is killed.
#include <sys/types.h>

#include <list>

#include "core/io/loop.h"
#include "local/reaper.h"

namespace plait::local {

class ReplacedProcesses {
 public:
  // `grace`: longer than a proxy's drain time. Both outlive it.
  ReplacedProcesses(io::Loop& loop, Reaper& reaper, Duration grace) noexcept
      : loop_(loop), reaper_(reaper), grace_(grace) {}
  ~ReplacedProcesses();  // kills those that are left
  ReplacedProcesses(const ReplacedProcesses&) = delete;
  ReplacedProcesses& operator=(const ReplacedProcesses&) = delete;

  // SIGUSR2 asks `pid`, a child, to drain.
  void Drain(pid_t pid);
  bool empty() const noexcept { return all_.empty(); }

 private:
  struct Replaced {
    explicit Replaced(pid_t process) noexcept : pid(process) {}
    const pid_t pid;
    Pending end = {};
    io::Timer kill = {};
  };

  io::Loop& loop_;
  Reaper& reaper_;
  const Duration grace_;
  std::list<Replaced> all_;
};

}  // namespace plait::local
