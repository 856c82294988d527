#pragma once
// Circuit breakers: limits of the whole process, shared by its workers (semantics: design.md "Limits are the
// process's"). Mirrors Envoy's ResourceManager.
#include <atomic>
#include <cstdint>
#include <optional>

#include "core/base/limit.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/connection_limit.h"

namespace plait::proxy::cluster {

// Of one cluster and routing priority. Outlives every user through the cluster's shared state.
class ClusterLimits {
 public:
  ConnectionLimit connections;
  Limit pending;
  Limit requests;
  // Retries obey max_retries, or the budget when there is one.
  bool TakeRetry() noexcept { return retries_.TakeUpTo(retries_most()); }
  void ReturnRetry() noexcept { retries_.Return(); }
  std::uint32_t retries_used() const noexcept { return retries_.used(); }
  std::uint32_t retries_most() const noexcept;
  bool has_retry_budget() const noexcept;

  void Configure(const xds::CircuitBreakers& breakers) noexcept;

 private:
  Limit retries_;
  std::atomic<std::uint32_t> budget_per_mille_{0};  // 0: no budget
  std::atomic<std::uint32_t> budget_least_{0};
};

}  // namespace plait::proxy::cluster
