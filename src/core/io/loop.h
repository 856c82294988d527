#pragma once
// The event loop of one thread: edge-triggered epoll, timer wheel, deferred calls, calls posted by other threads.
// Everything but Post and Stop belongs to the thread that runs it.
#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/pending.h"
#include "core/base/time.h"
#include "core/io/timer.h"

namespace plait::io {

// What an fd tells its owner. Edge-triggered: after OnReadable read until would-block (or remember that more is there).
class FdEvents {
 public:
  virtual ~FdEvents() = default;
  virtual void OnFdReady(std::uint32_t epoll_events) = 0;
};

class Loop {
 public:
  // Errors of epoll_create are our environment's: aborts with a reason. `clock` outlives the loop.
  explicit Loop(const Clock& clock = SystemClock());
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until Stop(); RunOnce waits at most `max_wait` for one round of events (tests, embedding).
  void Run();
  void RunOnce(Duration max_wait);
  // Runs rounds until `done` is true or `limit` has passed; returns done(). For tests and one-shot tools.
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  void Stop() noexcept;  // any thread

  // EPOLLIN | EPOLLOUT | EPOLLRDHUP edge-triggered unless `events` says otherwise. `sink` must be removed (Unwatch)
  // before it dies; after Unwatch no event arrives any more, not even one of the running round.
  void Watch(int fd, FdEvents& sink, std::uint32_t events);
  void Rewatch(int fd, FdEvents& sink, std::uint32_t events);
  void Unwatch(int fd, FdEvents& sink) noexcept;

  // Runs `call` at the end of this round (or in the next one when called from a deferred call).
  void Defer(std::move_only_function<void()> call);
  // The way objects with callbacks die: destroyed at the end of this round, never inside their own callback.
  template <class T>
  void DeleteLater(std::unique_ptr<T> object) {
    if (object) Defer([owned = std::move(object)]() mutable { owned.reset(); });
  }
  // From any thread; runs on the loop's thread in order. Calls still queued when the loop is destroyed are dropped.
  void Post(std::move_only_function<void()> call);

  // Allocates; hot paths embed a Timer (timer.h).
  [[nodiscard]] Pending After(Duration delay, std::move_only_function<void()> call);

  MonotonicTime Now() const noexcept { return now_; }  // of this round; cheap
  const Clock& clock() const noexcept;
  TimerWheel& timers() noexcept;
  bool on_this_thread() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
  MonotonicTime now_;
};

}  // namespace plait::io
