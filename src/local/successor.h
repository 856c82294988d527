#pragma once
// A process that shall take the place of another one, which goes on until this one says that it is ready: it writes to
// the descriptor that it was given. Owned by the ProxyProcess; one loop thread.
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/io/loop.h"
#include "core/io/unique_fd.h"
#include "local/reaper.h"

namespace plait::local {

class Successor final : private io::FdEvents {
 public:
  // One of them is called, once, from a later round.
  struct Events {
    std::function<void()> on_ready;
    std::function<void(const std::string& why)> on_ended;    // "ended with exit code 1"
    std::function<void(const std::string& why)> on_overdue;  // "has not become ready within 25s"; it goes on
  };
  // `spawn` starts it; `ready` is for it to write to. Errors: what `spawn` returns, or no descriptor is left.
  static Outcome<std::unique_ptr<Successor>> Start(io::Loop& loop, Reaper& reaper, Duration patience,
                                                   const std::function<Outcome<pid_t>(int ready)>& spawn,
                                                   Events events);
  ~Successor() override { Forget(); }

  pid_t pid() const noexcept { return pid_; }
  // Nothing is told any more. The process goes on, and sees that nobody waits for it.
  void Forget();

 private:
  Successor(io::Loop& loop, io::UniqueFd ready, Events events);
  void OnFdReady(std::uint32_t epoll_events) override;

  io::Loop& loop_;
  io::UniqueFd ready_;
  const Events events_;
  pid_t pid_ = 0;
  Pending end_;
  io::Timer overdue_;
};

}  // namespace plait::local
