// One choice among 100 hosts, by policy.
#include <benchmark/benchmark.h>

#include "proxy/lb/lb_policy.h"

namespace plait::proxy::lb {
namespace {
void BM_Pick(benchmark::State& state) {
  Hosts hosts;
  for (std::uint32_t i = 0; i < 100; ++i) {
    hosts.push_back(
        std::make_shared<cluster::Host>(cluster::Host::Facts{.address = {.ip = io::IpAddress::V4(i), .port = {80}}},
                                        1 + (state.range(1) != 0 ? i % 3 : 0), xds::HealthStatus::kHealthy));
  }
  const auto policy = NewPolicy({.policy = static_cast<xds::LbPolicy>(state.range(0))}, hosts, {}, 1);
  std::uint64_t hash = 1;
  for (auto _ : state) benchmark::DoNotOptimize(policy->Pick(hash += 0x9E3779B97F4A7C15ULL));
}
BENCHMARK(BM_Pick)
    ->ArgNames({"policy", "weights"})
    ->Args({0, 0})
    ->Args({0, 1})
    ->Args({1, 0})
    ->Args({1, 1})
    ->Args({3, 0})
    ->Args({4, 0});
}  // namespace
}  // namespace plait::proxy::lb
