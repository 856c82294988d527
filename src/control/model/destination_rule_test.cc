// Which policy is in force at a port.
#include "control/model/destination_rule.h"

#include <gtest/gtest.h>

#include "control/model/decode.h"
#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {

// The rule of `spec`, in which something is wrong; what is said of it.
std::optional<DestinationRule> Broken(const std::string& spec, std::string* said = nullptr) {
  const Decoded decoded =
      DecodeText("apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r}\nspec: {host: db, " +
                     spec + "}\n",
                 "f.yaml");
  EXPECT_TRUE(HasErrors(decoded.findings)) << spec;
  if (said) *said = testing::Said(decoded.findings);
  if (decoded.objects.empty()) return std::nullopt;
  return std::get<DestinationRule>(*decoded.objects[0]);
}
bool Refuses(const TrafficPolicy& policy) { return policy.tls && policy.tls->mode == ClientTls::Mode::kUnusable; }

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

constexpr const char* kNoFiles = "tls: {mode: MUTUAL, credentialName: client-credential}";

TEST(DestinationRule, WhoseTlsIsInvalidStaysInForceAndRefuses) {
  std::string said;
  const auto rule = Broken("trafficPolicy: {loadBalancer: {simple: RANDOM}, " + std::string(kNoFiles) + "}", &said);
  ASSERT_TRUE(rule);
  EXPECT_TRUE(Refuses(rule->policy)) << "nothing in its place would be plaintext";
  EXPECT_TRUE(rule->policy.load_balancer);
  EXPECT_NE(said.find("f.yaml:4:71: DestinationRule default/r: mode MUTUAL needs clientCertificate and privateKey: "
                      "nothing is sent (503)"),
            std::string::npos)
      << said;
}

TEST(DestinationRule, WhoseServerNameTlsCannotCarryRefuses) {
  std::string said;
  const auto rule = Broken("trafficPolicy: {tls: {mode: SIMPLE, sni: " + std::string(256, 'a') + "}}", &said);
  ASSERT_TRUE(rule);
  EXPECT_TRUE(Refuses(rule->policy));
  EXPECT_NE(said.find("the server name has 256 bytes: nothing is sent (503)"), std::string::npos) << said;
}

TEST(DestinationRule, WhoseTlsOfAPortIsInvalidRefusesThatPort) {
  const auto rule = Broken("trafficPolicy: {portLevelSettings: [{port: {number: 443}, " + std::string(kNoFiles) +
                           "}, {port: {number: 80}, tls: {mode: DISABLE}}]}");
  ASSERT_TRUE(rule);
  EXPECT_TRUE(Refuses(PolicyForPort(rule->policy, nullptr, 443)));
  EXPECT_FALSE(Refuses(PolicyForPort(rule->policy, nullptr, 80)));
  EXPECT_FALSE(Refuses(PolicyForPort(rule->policy, nullptr, 81)));
}

TEST(DestinationRule, WhoseTlsOfASubsetIsInvalidRefusesThatSubset) {
  const auto rule =
      Broken("subsets: [{name: v1, trafficPolicy: {" + std::string(kNoFiles) + "}}, {name: v2, labels: {v: v2}}]");
  ASSERT_TRUE(rule);
  ASSERT_TRUE(rule->FindSubset("v1"));
  EXPECT_TRUE(Refuses(PolicyForPort(rule->policy, &rule->FindSubset("v1")->policy, 80)));
  EXPECT_FALSE(Refuses(PolicyForPort(rule->policy, &rule->FindSubset("v2")->policy, 80)));
}

TEST(DestinationRule, ThatCannotBeReadRefusesWhereItAsksForTls) {
  for (const char* spec : {"trafficPolicy: {tls: {mode: SIMPEL}}", "trafficPolicy: {tls: {mode: 7}}",
                           "trafficPolicy: {tls: none}", "trafficPolicy: {tls: {mode: SIMPLE}}, exportTo: ['*', 'a b']",
                           "trafficPolicy: {tls: {mode: SIMPLE}, nix: 1}"}) {
    const auto rule = Broken(spec);
    ASSERT_TRUE(rule) << spec;
    EXPECT_TRUE(Refuses(rule->policy)) << spec;
  }
  const auto port = Broken("trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPEL}}]}");
  ASSERT_TRUE(port);
  EXPECT_TRUE(Refuses(PolicyForPort(port->policy, nullptr, 443)));
  EXPECT_FALSE(Refuses(PolicyForPort(port->policy, nullptr, 80)));
  EXPECT_FALSE(Broken("trafficPolicy: {connectionPool: {nix: 1}}")) << "it asks for no TLS";
}

}  // namespace
}  // namespace plait::control::model
