#include "proxy/lb/lb_policy.h"

#include <algorithm>

#include "proxy/lb/consistent.h"
#include "proxy/lb/weighted_heap.h"

namespace plait::proxy::lb {
namespace {

using cluster::HostPtr;

double WeightOf(const Hosts& hosts, std::span<const double> weights, std::size_t i) noexcept {
  const double weight = weights.empty() ? hosts[i]->weight() : weights[i];
  return std::max(weight, 1e-6);
}

bool AllEqual(const Hosts& hosts, std::span<const double> weights) noexcept {
  for (std::size_t i = 1; i < hosts.size(); ++i) {
    if (WeightOf(hosts, weights, i) != WeightOf(hosts, weights, 0)) return false;
  }
  return true;
}

// Equal weights: in turn, from a random start, so that many workers and proxies do not all begin with the first host.
class RoundRobin final : public LbPolicy {
 public:
  RoundRobin(const Hosts& hosts, std::uint64_t seed) : hosts_(hosts), next_(seed) {}
  const HostPtr* Pick(std::optional<std::uint64_t>) noexcept override {
    return hosts_.empty() ? nullptr : &hosts_[next_++ % hosts_.size()];
  }

 private:
  const Hosts& hosts_;
  std::uint64_t next_;
};

// Power of two (or `choices`) choices on the active requests; all weights are equal.
class LeastRequest final : public LbPolicy {
 public:
  LeastRequest(const Hosts& hosts, std::uint32_t choices, std::uint64_t seed)
      : hosts_(hosts), choices_(std::max(choices, 2U)), random_(seed) {}
  const HostPtr* Pick(std::optional<std::uint64_t>) noexcept override {
    if (hosts_.empty()) return nullptr;
    const HostPtr* best = nullptr;
    for (std::uint32_t i = 0; i < choices_; ++i) {
      const HostPtr& one = hosts_[random_.Below(hosts_.size())];
      if (best == nullptr || Active(one) < Active(*best)) best = &one;
    }
    return best;
  }

 private:
  static std::uint32_t Active(const HostPtr& host) noexcept {
    return host->stats().rq_active.load(std::memory_order_relaxed);
  }
  const Hosts& hosts_;
  std::uint32_t choices_;
  Random random_;
};

// Different weights. For least request a host's weight shrinks with its active requests, as in Envoy
// (active_request_bias 1).
class Weighted final : public LbPolicy {
 public:
  Weighted(const Hosts& hosts, std::span<const double> weights, bool by_active, std::uint64_t seed)
      : hosts_(hosts), weights_(weights), by_active_(by_active) {
    for (std::uint32_t i = 0; i < hosts.size(); ++i) heap_.Add(i, Now(i));
    // Starts somewhere inside the cycle: not every worker begins with the heaviest host.
    for (std::uint64_t skip = hosts.empty() ? 0 : seed % hosts.size(); skip > 0; --skip) Pick(std::nullopt);
  }
  const HostPtr* Pick(std::optional<std::uint64_t>) noexcept override {
    if (heap_.empty()) return nullptr;
    return &hosts_[heap_.Next([this](std::uint32_t i) { return Now(i); })];
  }

 private:
  double Now(std::uint32_t i) const noexcept {
    const double weight = WeightOf(hosts_, weights_, i);
    if (!by_active_) return weight;
    return weight / (1.0 + hosts_[i]->stats().rq_active.load(std::memory_order_relaxed));
  }
  const Hosts& hosts_;
  std::span<const double> weights_;
  bool by_active_;
  WeightedHeap heap_;
};

class RandomPick final : public LbPolicy {
 public:
  RandomPick(const Hosts& hosts, std::uint64_t seed) : hosts_(hosts), random_(seed) {}
  const HostPtr* Pick(std::optional<std::uint64_t>) noexcept override {
    return hosts_.empty() ? nullptr : &hosts_[random_.Below(hosts_.size())];
  }

 private:
  const Hosts& hosts_;
  Random random_;
};

}  // namespace

std::unique_ptr<LbPolicy> NewPolicy(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights,
                                    std::uint64_t seed) {
  using Policy = xds::LbPolicy;
  switch (config.policy) {
    case Policy::kRingHash: return NewRingHash(config, hosts, weights, seed);
    case Policy::kMaglev: return NewMaglev(config, hosts, weights, seed);
    case Policy::kRandom: return std::make_unique<RandomPick>(hosts, seed);
    case Policy::kLeastRequest:
      if (AllEqual(hosts, weights)) return std::make_unique<LeastRequest>(hosts, config.choice_count, seed);
      return std::make_unique<Weighted>(hosts, weights, /*by_active=*/true, seed);
    case Policy::kRoundRobin:
    case Policy::kClusterProvided: break;
  }
  if (AllEqual(hosts, weights)) return std::make_unique<RoundRobin>(hosts, seed);
  return std::make_unique<Weighted>(hosts, weights, /*by_active=*/false, seed);
}

}  // namespace plait::proxy::lb
