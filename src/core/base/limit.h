#pragma once
// How many may be at it at once, over all threads: one relaxed atomic, so the limit is exact with any number of them.
#include <atomic>
#include <cstdint>

namespace plait {

class Limit {
 public:
  // False at the limit; nothing was taken then.
  bool Take() noexcept { return TakeUpTo(most()); }
  bool TakeUpTo(std::uint32_t most) noexcept {
    std::uint32_t used = used_.load(std::memory_order_relaxed);
    // Not by adding first: who is refused must not, for a moment, take the place that another has just returned.
    while (used < most) {
      if (used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void Return() noexcept { used_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  std::uint32_t most() const noexcept { return most_.load(std::memory_order_relaxed); }
  void SetMost(std::uint32_t most) noexcept { most_.store(most, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> used_{0};
  std::atomic<std::uint32_t> most_{UINT32_MAX};
};

}  // namespace plait
