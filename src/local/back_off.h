#pragma once
// When a process that has ended is started again.
#include <algorithm>
#include <utility>

#include "core/base/time.h"

namespace plait::local {

// At once, then after `first`, each time twice as long, `longest` at most. After a life of more than `healthy` anew.
class BackOff {
 public:
  struct Limits {
    Duration first;
    Duration longest;
    Duration healthy;
  };
  constexpr explicit BackOff(const Limits& limits) noexcept : limits_(limits) {}

  // The process has ended, after so long.
  void Lived(Duration life) noexcept {
    if (life > limits_.healthy) next_ = Duration::zero();
  }
  // How long to wait this time.
  Duration Next() noexcept {
    return std::exchange(next_, std::min(std::max(next_ * 2, limits_.first), limits_.longest));
  }

 private:
  const Limits limits_;
  Duration next_{};
};

}  // namespace plait::local
