// Settings for locality load balancing, of a rule and of the mesh.
#include "control/model/locality.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::Said;

// `policy` stands in line 7.
Decoded ReadRule(const std::string& policy, const std::string& subsets = "[]") {
  return DecodeText(
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: default}\nspec:\n"
      "  host: reviews\n  trafficPolicy:\n    " +
          policy + "\n    tls: {mode: ISTIO_MUTUAL}\n  subsets: " + subsets + "\n",
      "f.yaml");
}
std::string Setting(const std::string& setting) { return "loadBalancer: {localityLbSetting: {" + setting + "}}"; }
const TrafficPolicy& PolicyOf(const Decoded& read) { return std::get<DestinationRule>(*read.objects.at(0)).policy; }

// The setting stands in line 6.
Decoded ReadMesh(const std::string& setting) {
  return DecodeText(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n"
      "    localityLbSetting: {" +
          setting + "}\n    trustDomain: td\n",
      "f.yaml");
}
const MeshConfig& MeshOf(const Decoded& read) { return *std::get<ConfigMap>(*read.objects.at(0)).mesh; }

struct Refused {
  const char* setting;
  const char* said;
};
constexpr Refused kRefused[] = {
    {"distribute: [{from: r1, to: {r1: 80, r2: 10}}]", "the shares add up to 90, not to 100"},
    {"distribute: [{from: r1, to: {}}]", "the shares add up to 0"},
    {"distribute: [{from: r1, to: {r1: 100, r2: 0}}]", "the share 0 of \"r2\" is outside 1..100"},
    {"distribute: [{from: r1, to: {r1: 101}}]", "the share 101 of \"r1\" is outside 1..100"},
    {"distribute: [{from: r1, to: {r1/*: 50, r1/z1: 50}}]", "\"r1/z1\" is within \"r1/*\" before it"},
    {"distribute: [{from: r1, to: {r1: 50, r1/z1/s1: 50}}]", "\"r1/z1/s1\" is within \"r1\" before it"},
    {"distribute: [{from: '*', to: {r1: 100}}, {from: r2, to: {r1: 100}}]", "\"r2\" is within \"*\" before it"},
    {"distribute: [{from: r1//s1, to: {r1: 100}}]", "locality \"r1//s1\" has an empty part"},
    {"distribute: [{to: {r1: 100}}]", "locality \"\" has an empty part"},
    {"distribute: [{from: r1/z1/s1/x, to: {r1: 100}}]", "locality \"r1/z1/s1/x\" has more than three parts"},
    {"distribute: [{from: '*/z1', to: {r1: 100}}]", "locality \"*/z1\" has a * that is not the whole last part"},
    {"distribute: [{from: r1*, to: {r1: 100}}]", "locality \"r1*\" has a * that is not the whole last part"},
    {"distribute: [{from: r1, to: {r2: 100}}], failover: [{from: r1, to: r2}]",
     "distribute and failover exclude each other"},
    {"failover: [{from: r1, to: r1}]", "a region fails over to itself"},
    {"failover: [{from: r1/z1, to: r2}]", "\"r1/z1\" is not the name of a region"},
    {"failover: [{from: r1, to: '*'}]", "\"*\" is not the name of a region"},
    {"failover: [{from: r1, to: r2}], failoverPriority: [topology.kubernetes.io/zone]",
     "failover and the label topology.kubernetes.io/zone exclude each other"},
};

TEST(LocalitySetting, OfARuleThatIsInvalidIsToldAndTheRestStays) {
  for (const Refused& c : kRefused) {
    const Decoded read = ReadRule(Setting(c.setting));
    EXPECT_NE(Said(read.findings).find("f.yaml:7:"), std::string::npos) << Said(read.findings);
    EXPECT_NE(Said(read.findings).find(c.said), std::string::npos) << c.setting << "\n" << Said(read.findings);
    EXPECT_EQ(read.findings.size(), 1U) << Said(read.findings);
    EXPECT_FALSE(PolicyOf(read).load_balancer) << c.setting;
    EXPECT_TRUE(PolicyOf(read).tls) << c.setting;
  }
  EXPECT_NE(Said(ReadRule(Setting("distribute: [{from: r1, to: {r1: 90}}]")).findings)
                .find("f.yaml:7:68: DestinationRule default/r: the shares"),
            std::string::npos)
      << "at the shares themselves";
}

TEST(LocalitySetting, OfTheMeshThatIsInvalidIsToldAndTheRestStays) {
  for (const Refused& c : kRefused) {
    const Decoded read = ReadMesh(c.setting);
    EXPECT_NE(Said(read.findings).find(std::string("mesh configuration: localityLbSetting: ") + c.said),
              std::string::npos)
        << c.setting << "\n"
        << Said(read.findings);
    EXPECT_EQ(MeshOf(read), MeshConfig{.trust_domain = "td"}) << c.setting;
  }
}

TEST(LocalitySetting, MayBeWhatIstioTakes) {
  for (const char* setting :
       {"distribute: [{from: r1/z1/*, to: {r1/z1/*: 80, r1/z2/*: 20}}, {from: '*', to: {'*': 100}}]",
        "distribute: [{from: r1, to: {r1: 100}}], enabled: false", "enabled: true"}) {
    EXPECT_EQ(Said(ReadRule(Setting(setting)).findings), "") << setting;
    EXPECT_EQ(Said(ReadMesh(setting).findings), "") << setting;
  }
  const Decoded read = ReadMesh("failover: [{from: r1, to: r2}], failoverPriority: [a, b=c]");
  EXPECT_EQ(Said(read.findings), "");
  EXPECT_EQ(MeshOf(read).locality,
            (LocalityBalancing{.failover = {{.from = "r1", .to = "r2"}}, .failover_priority = {"a", "b=c"}}));
}

TEST(LocalitySetting, IsToldWhereNothingCanFailOver) {
  const std::string failover = Setting("failover: [{from: r1, to: r2}]"),
                    outlier = "outlierDetection: {consecutive5xxErrors: 1}";
  EXPECT_NE(Said(ReadRule(failover).findings)
                .find("f.yaml:7:50: DestinationRule default/r: failover without outlierDetection: all localities are "
                      "used alike, as in Istio"),
            std::string::npos)
      << Said(ReadRule(failover).findings);
  EXPECT_EQ(Said(ReadRule(failover + "\n    " + outlier).findings), "");
  const std::string port = "portLevelSettings: [{port: {number: 80}, ";
  EXPECT_NE(Said(ReadRule(port + failover + "}]\n    " + outlier).findings).find("failover without"), std::string::npos)
      << "an entry for a port is in place of what is around it";
  EXPECT_EQ(Said(ReadRule(port + failover + ", " + outlier + "}]").findings), "");
  const std::string subset = "[{name: v1, trafficPolicy: {" + failover + "}}]";
  EXPECT_NE(Said(ReadRule("retryBudget: {percent: 20}", subset).findings).find("failover without"), std::string::npos);
  EXPECT_EQ(Said(ReadRule(outlier, subset).findings), "") << "a subset has what it does not say from the host";
  EXPECT_NE(Said(ReadRule(Setting("distribute: [{from: r1, to: {r2: 100}}], failoverPriority: [a]")).findings)
                .find("failoverPriority beside distribute: the shares alone count"),
            std::string::npos);
}

}  // namespace
}  // namespace plait::control::model
