#include "proxy/lb/lb_policy.h"

#include <gtest/gtest.h>

#include <map>

#include "proxy/lb/hash.h"

namespace plait::proxy::lb {
namespace {

cluster::HostPtr NewHost(int n, std::uint32_t weight = 1) {
  return std::make_shared<cluster::Host>(
      cluster::Host::Facts{
          .address = {.ip = io::IpAddress::V4(0x0A000000U + static_cast<std::uint32_t>(n)), .port = {80}}},
      weight, xds::HealthStatus::kHealthy);
}

std::map<const cluster::Host*, int> Count(LbPolicy& policy, int picks) {
  std::map<const cluster::Host*, int> counts;
  for (int i = 0; i < picks; ++i) ++counts[policy.Pick(std::nullopt)->get()];
  return counts;
}

TEST(LbPolicy, GivesNothingFromAnEmptySet) {
  const Hosts none;
  for (const auto policy : {xds::LbPolicy::kRoundRobin, xds::LbPolicy::kLeastRequest, xds::LbPolicy::kRandom,
                            xds::LbPolicy::kRingHash, xds::LbPolicy::kMaglev}) {
    EXPECT_EQ(NewPolicy({.policy = policy}, none, {}, 1)->Pick(5), nullptr);
  }
}

TEST(RoundRobin, TakesHostsInTurn) {
  const Hosts hosts = {NewHost(1), NewHost(2), NewHost(3)};
  const auto policy = NewPolicy({}, hosts, {}, 7);
  for (const auto& [host, count] : Count(*policy, 300)) EXPECT_EQ(count, 100);
}

TEST(RoundRobin, FollowsWeightsExactlyOverACycle) {
  const Hosts hosts = {NewHost(1, 1), NewHost(2, 3)};
  const auto policy = NewPolicy({}, hosts, {}, 0);
  const auto counts = Count(*policy, 400);
  EXPECT_NEAR(counts.at(hosts[0].get()), 100, 1);
  EXPECT_NEAR(counts.at(hosts[1].get()), 300, 1);
}

TEST(RoundRobin, PrefersGivenWeightsToTheHosts) {
  const Hosts hosts = {NewHost(1, 1), NewHost(2, 1)};
  const std::vector<double> weights = {9, 1};
  const auto policy = NewPolicy({}, hosts, weights, 0);
  EXPECT_NEAR(Count(*policy, 1000).at(hosts[0].get()), 900, 2);
}

TEST(LeastRequest, AvoidsTheBusyHost) {
  const Hosts hosts = {NewHost(1), NewHost(2)};
  hosts[0]->stats().rq_active = 10;
  const auto policy = NewPolicy({.policy = xds::LbPolicy::kLeastRequest}, hosts, {}, 3);
  auto counts = Count(*policy, 1000);
  EXPECT_NEAR(counts[hosts[0].get()], 250, 60) << "only when both choices fall on it";
}

TEST(LeastRequest, WeighsActiveRequestsAgainstWeights) {
  const Hosts hosts = {NewHost(1, 4), NewHost(2, 1)};
  const auto policy = NewPolicy({.policy = xds::LbPolicy::kLeastRequest}, hosts, {}, 0);
  EXPECT_NEAR(Count(*policy, 1000).at(hosts[0].get()), 800, 5);
  hosts[0]->stats().rq_active = 3;  // 4 / (3 + 1) = 1
  EXPECT_NEAR(Count(*policy, 1000).at(hosts[0].get()), 500, 10);
}

class Consistent : public testing::TestWithParam<xds::LbPolicy> {};

TEST_P(Consistent, KeepsAKeyOnItsHostWhenOthersComeAndGo) {
  Hosts hosts;
  for (int i = 0; i < 10; ++i) hosts.push_back(NewHost(i));
  const Hosts fewer(hosts.begin(), hosts.end() - 1);
  const auto before = NewPolicy({.policy = GetParam()}, hosts, {}, 1);
  const auto after = NewPolicy({.policy = GetParam()}, fewer, {}, 1);
  int moved = 0;
  for (std::uint64_t key = 0; key < 1000; ++key) {
    const std::uint64_t hash = Hash64(std::to_string(key));
    EXPECT_EQ(*before->Pick(hash), *before->Pick(hash));
    const bool stays = *before->Pick(hash) == *after->Pick(hash);
    if (!stays && *before->Pick(hash) != hosts.back()) ++moved;
  }
  EXPECT_LT(moved, 120)
      << "nearly only keys of the host that left should move (a ring of fewer hosts gives each more places)";
}

TEST_P(Consistent, GivesHeavyHostsMoreKeys) {
  const Hosts hosts = {NewHost(1, 1), NewHost(2, 4)};
  const auto policy = NewPolicy({.policy = GetParam()}, hosts, {}, 1);
  int heavy = 0;
  for (int key = 0; key < 5000; ++key) heavy += *policy->Pick(Hash64(std::to_string(key))) == hosts[1] ? 1 : 0;
  EXPECT_NEAR(heavy, 4000, 300);
}

TEST_P(Consistent, DoesNotDependOnTheOrderOfTheHosts) {
  Hosts hosts;
  for (int i = 0; i < 10; ++i) hosts.push_back(NewHost(i));
  const Hosts turned(hosts.rbegin(), hosts.rend());
  const auto one = NewPolicy({.policy = GetParam()}, hosts, {}, 1);
  const auto other = NewPolicy({.policy = GetParam()}, turned, {}, 1);
  for (std::uint64_t key = 0; key < 20000; ++key)
    EXPECT_EQ(*one->Pick(Hash64(std::to_string(key))), *other->Pick(Hash64(std::to_string(key))));
}

INSTANTIATE_TEST_SUITE_P(RingHashAndMaglev, Consistent,
                         testing::Values(xds::LbPolicy::kRingHash, xds::LbPolicy::kMaglev));

TEST(Hash64, IsXxHash64) {
  EXPECT_EQ(Hash64(""), 0xef46db3751d8e999ULL);
  EXPECT_EQ(Hash64("abc"), 0x44bc2cf5ad770999ULL);
}

}  // namespace
}  // namespace plait::proxy::lb
