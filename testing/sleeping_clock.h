#pragma once
// A clock of a machine that a test puts to sleep: meanwhile wall time alone passes. Real time passes as well.
#include "testing/manual_clock.h"

namespace plait {

class SleepingClock final : public Clock {
 public:
  MonotonicTime Now() const noexcept override { return awake_.Now(); }
  WallTime Wall() const noexcept override { return awake_.Wall() + slept_; }
  void Advance(Duration by) noexcept { awake_.Advance(by); }
  void Sleep(Duration by) noexcept { slept_ += by; }  // negative: somebody sets the clock back

 private:
  ManualClock awake_{ManualClock::Start::kRunning};
  Duration slept_{};
};

}  // namespace plait
