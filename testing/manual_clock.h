#pragma once
// A clock that a test sets forward.
#include "core/base/time.h"

namespace plait {

class ManualClock final : public Clock {
 public:
  // kRunning: real time passes too, for tests that wait for sockets.
  enum class Start { kStanding, kRunning };
  explicit ManualClock(Start start = Start::kStanding) : running_(start == Start::kRunning) {}

  MonotonicTime Now() const noexcept override {
    return (running_ ? SystemClock().Now() : MonotonicTime{} + std::chrono::hours(1)) + advanced_;
  }
  WallTime Wall() const noexcept override {
    const auto wall = running_ ? SystemClock().Wall() : WallTime{} + std::chrono::hours(1);
    return wall + std::chrono::duration_cast<WallTime::duration>(advanced_);
  }
  void Advance(Duration by) noexcept { advanced_ += by; }

 private:
  const bool running_;
  Duration advanced_{};
};

}  // namespace plait
