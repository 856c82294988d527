#pragma once
// Circuit breakers: limits of the whole process, shared by its workers (semantics: design.md "Limits are the
// process's"). Every count is one relaxed atomic, so a limit is exact with any number of workers. Mirrors Envoy's
// ResourceManager.
#include <atomic>
#include <cstdint>
#include <optional>

#include "core/xds/cluster.h"

namespace plait::proxy::cluster {

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

// Of one cluster and routing priority. Outlives every user through the cluster's shared state.
class ClusterLimits {
 public:
  Limit connections;
  Limit pending;
  Limit requests;
  // Retries obey max_retries, or the budget when there is one.
  bool TakeRetry() noexcept { return retries_.TakeUpTo(retries_most()); }
  void ReturnRetry() noexcept { retries_.Return(); }
  std::uint32_t retries_used() const noexcept { return retries_.used(); }
  std::uint32_t retries_most() const noexcept;

  void Configure(const xds::CircuitBreakers& breakers) noexcept;

 private:
  Limit retries_;
  std::atomic<std::uint32_t> budget_per_mille_{0};  // 0: no budget
  std::atomic<std::uint32_t> budget_least_{0};
};

}  // namespace plait::proxy::cluster
