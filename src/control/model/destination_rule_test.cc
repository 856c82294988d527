// Which policy is in force at a port.
#include "control/model/destination_rule.h"

#include <gtest/gtest.h>

namespace plait::control::model {
namespace {

TrafficPolicy Balanced(LoadBalancer::Simple simple) {
  TrafficPolicy out;
  out.load_balancer.emplace().simple = simple;
  return out;
}
TrafficPolicy Limited(std::uint32_t connections) {
  TrafficPolicy out;
  out.connection_pool.emplace().max_connections = connections;
  return out;
}
// All that a policy can say, and an entry for port 80 that says less.
TrafficPolicy Host() {
  TrafficPolicy out = Balanced(LoadBalancer::Simple::kRandom);
  out.connection_pool = Limited(1).connection_pool;
  out.outlier_detection.emplace();
  out.tls.emplace();
  out.retry_budget.emplace();
  out.ports.emplace_back(std::uint16_t{80}, Limited(80));
  return out;
}

TEST(PolicyForPort, OfAPortIsItsEntryAloneButForWhatOnlyHostsHave) {
  TrafficPolicy expected = Limited(80);
  expected.retry_budget.emplace();
  EXPECT_EQ(PolicyForPort(Host(), nullptr, 80), expected);
  expected = Host();
  expected.ports.clear();
  EXPECT_EQ(PolicyForPort(Host(), nullptr, 81), expected);
}

TEST(PolicyForPort, OfASubsetLiesOverThatOfTheHostFieldByField) {
  const TrafficPolicy subset = Balanced(LoadBalancer::Simple::kRoundRobin);
  TrafficPolicy expected = Limited(80);
  expected.load_balancer = subset.load_balancer;
  expected.retry_budget.emplace();
  EXPECT_EQ(PolicyForPort(Host(), &subset, 80), expected);
  expected = Host();
  expected.ports.clear();
  expected.load_balancer = subset.load_balancer;
  EXPECT_EQ(PolicyForPort(Host(), &subset, 81), expected);
}

TEST(PolicyForPort, OfASubsetWithAnEntryForThePortIsThatEntryAlone) {
  TrafficPolicy subset = Balanced(LoadBalancer::Simple::kRoundRobin);
  subset.ports.emplace_back(std::uint16_t{80}, TrafficPolicy{});
  TrafficPolicy expected;
  expected.retry_budget.emplace();
  EXPECT_EQ(PolicyForPort(Host(), &subset, 80), expected) << "nothing, of the subset as of the host";
  subset.ports[0].second = Limited(8);
  expected.connection_pool = Limited(8).connection_pool;
  EXPECT_EQ(PolicyForPort(Host(), &subset, 80), expected);
}

}  // namespace
}  // namespace plait::control::model
