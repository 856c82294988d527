#include "proxy/cluster/limits.h"

#include <algorithm>

namespace plait::proxy::cluster {

void ClusterLimits::Configure(const xds::CircuitBreakers& breakers) noexcept {
  connections.SetMost(breakers.max_connections);
  pending.SetMost(breakers.max_pending_requests);
  requests.SetMost(breakers.max_requests);
  retries_.SetMost(breakers.max_retries);
  const auto& budget = breakers.retry_budget;
  budget_per_mille_.store(budget ? static_cast<std::uint32_t>(budget->budget_percent * 10) : 0,
                          std::memory_order_relaxed);
  budget_least_.store(budget ? budget->min_retry_concurrency : 0, std::memory_order_relaxed);
}

std::uint32_t ClusterLimits::retries_most() const noexcept {
  const std::uint32_t per_mille = budget_per_mille_.load(std::memory_order_relaxed);
  const std::uint32_t least = budget_least_.load(std::memory_order_relaxed);
  if (!has_retry_budget()) return retries_.most();
  const std::uint64_t active = std::uint64_t{requests.used()} + pending.used();
  return std::max(least, static_cast<std::uint32_t>(active * per_mille / 1000));
}

bool ClusterLimits::has_retry_budget() const noexcept {
  return budget_per_mille_.load(std::memory_order_relaxed) != 0 || budget_least_.load(std::memory_order_relaxed) != 0;
}

}  // namespace plait::proxy::cluster
