#pragma once
// A timer for what ends by the wall clock, a certificate. Timer counts the time that the machine was awake: over a
// sleep of it (a laptop, a machine that was paused) or a step of its clock it would end too late.
#include <functional>

#include "core/io/loop.h"
#include "core/io/timer.h"

namespace plait::io {

// Lives on the loop's thread. Destroying it is always safe, also inside the callback.
class WallTimer {
 public:
  // At the latest so long after a sleep or a step it ends; the loop wakes so often.
  static constexpr Duration kLook = std::chrono::seconds(30);
  WallTimer(Loop& loop, std::move_only_function<void()> on_fire);

  // (Re)starts: ends once `delay` is over by the wall clock or by the other one, whichever is first.
  void Start(Duration delay);
  void Cancel() noexcept { timer_.Cancel(); }
  bool armed() const noexcept { return timer_.armed(); }

 private:
  void Look();

  Loop& loop_;
  std::move_only_function<void()> on_fire_;
  WallTime wall_end_{};
  MonotonicTime end_{};
  Timer timer_;
};

}  // namespace plait::io
