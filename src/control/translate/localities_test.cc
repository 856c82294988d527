// Locality load balancing: which endpoints a proxy is to call first, by where it stands.
#include "control/translate/localities.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;

constexpr char kCluster[] = "outbound|80||web.default.svc.cluster.local";
constexpr char kOutlier[] = "outlierDetection: {consecutive5xxErrors: 1}";

constexpr char kServices[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.1.1, selector: {app: web}, ports: [{name: http, port: 80}, {name: other, port: 81}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [outside.example.com]
  resolution: DNS
  ports: [{name: http, number: 80, protocol: HTTP}]
  endpoints:
  - {address: near.example.com, locality: r1/z1}
  - {address: far.example.com, locality: r2/z1}
)";

// A pod of web in each of four localities, and one whose locality nobody knows.
std::vector<model::Workload> Pods() {
  const auto pod = [](int n, const char* locality, const char* version) {
    model::Labels labels{{"app", "web"}, {"version", version}};
    if (*locality != '\0') labels["istio-locality"] = locality;
    model::Workload out = RunningPod("web-" + std::to_string(n), "web", labels, "10.0.0." + std::to_string(n));
    out.node = "node-" + std::to_string(n);
    return out;
  };
  return {pod(1, "r1.z1.s1", "v1"), pod(2, "r1.z1.s2", "v2"), pod(3, "r1.z2", "v1"),
          pod(4, "r2.z1", "v2"),    pod(5, "r3.z1", "v1"),    pod(6, "", "v2")};
}

std::string Rule(const std::string& policy, const std::string& host = "web") {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: rule}\nspec: {host: " +
         host + ", trafficPolicy: {" + policy + "}}\n";
}
std::string Setting(const std::string& setting) { return "loadBalancer: {localityLbSetting: {" + setting + "}}"; }
std::string Mesh(const std::string& setting) {
  return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
         "data:\n  mesh: 'localityLbSetting: {" +
         setting + "}'\n";
}

model::Proxy At(const std::string& locality) {
  return {.id = "client-0.default", .name_space = "default", .locality = locality, .node = "node-2"};
}

// "0: 1 2 | 1: 3": by priority, the last part of each address.
std::string Priorities(const xds::ClusterLoadAssignment& assignment) {
  std::map<std::uint32_t, std::vector<std::string>> by_priority;
  for (const xds::LocalityEndpoints& group : assignment.localities)
    for (const xds::Endpoint& endpoint : group.endpoints) {
      const std::string ip = endpoint.address.ip.ToString();
      by_priority[group.priority].push_back(endpoint.dns_name.empty() ? ip.substr(ip.rfind('.') + 1)
                                                                      : endpoint.dns_name);
    }
  std::string out;
  for (auto& [priority, endpoints] : by_priority) {
    std::sort(endpoints.begin(), endpoints.end());
    out += (out.empty() ? "" : " | ") + std::to_string(priority) + ": " + Join(endpoints, " ");
  }
  return out;
}
std::string PrioritiesOf(const std::string& more, const model::Proxy& proxy, const std::string& cluster = kCluster) {
  const auto assignment = FindEndpoints(proxy, *model::testing::SnapshotOf(kServices + more, Pods()), cluster);
  return assignment ? Priorities(*assignment) : "none";
}
// "r1/z1/s1 80, r2/z1 20".
std::string SharesOf(const std::string& more, const model::Proxy& proxy) {
  const auto assignment = FindEndpoints(proxy, *model::testing::SnapshotOf(kServices + more, Pods()), kCluster);
  std::vector<std::string> out;
  for (const xds::LocalityEndpoints& group : assignment->localities) {
    std::string at = group.locality.region;
    for (const std::string& part : {group.locality.zone, group.locality.sub_zone})
      if (!part.empty()) at += "/" + part;
    EXPECT_EQ(group.priority, 0U) << at;
    out.push_back(at + " " + std::to_string(group.weight.value_or(0)));
  }
  return Join(out, ", ");
}
bool Weighted(const std::string& more, const model::Proxy& proxy = At("r1/z1/s1")) {
  return FindCluster(proxy, *model::testing::SnapshotOf(kServices + more, Pods()), kCluster)->lb.locality_weighted;
}

constexpr char kAlike[] = "0: 1 2 3 4 5 6";

TEST(Localities, AreAlikeWithoutOutlierDetection) {
  EXPECT_EQ(PrioritiesOf("", At("r1/z1/s1")), kAlike);
  EXPECT_EQ(PrioritiesOf(Rule(Setting("failover: [{from: r1, to: r2}]")), At("r1/z1/s1")), kAlike);
  EXPECT_FALSE(Weighted(Rule(Setting("failover: [{from: r1, to: r2}]"))));
}

TEST(Localities, WithOutlierDetectionTheNearestIsFirstWithoutGaps) {
  const std::string rule = Rule(kOutlier);
  EXPECT_EQ(PrioritiesOf(rule, At("r1/z1/s1")), "0: 1 | 1: 2 | 2: 3 | 3: 4 5 6");
  EXPECT_EQ(PrioritiesOf(rule, At("r1/z1")), "0: 1 2 | 1: 3 | 2: 4 5 6") << "no subzone agrees";
  EXPECT_EQ(PrioritiesOf(rule, At("r2/z9")), "0: 4 | 1: 1 2 3 5 6");
  EXPECT_EQ(PrioritiesOf(rule, At("r9")), kAlike);
  EXPECT_EQ(PrioritiesOf(rule, At("")), "0: 6 | 1: 1 2 3 4 5") << "as in Istio what is unknown agrees";
  EXPECT_FALSE(Weighted(rule)) << "as in Istio: least request goes on within a priority";
}

TEST(Localities, FailOverToTheRegionThatIsNamedFirst) {
  const std::string rule = Rule(std::string(kOutlier) + ", " + Setting("failover: [{from: r1, to: r3}]"));
  EXPECT_EQ(PrioritiesOf(rule, At("r1/z1/s1")), "0: 1 | 1: 2 | 2: 3 | 3: 5 | 4: 4 6");
  EXPECT_EQ(PrioritiesOf(rule, At("r2/z1")), "0: 4 | 1: 1 2 3 5 6");
  EXPECT_TRUE(Weighted(rule));
}

TEST(Localities, AreLeftAloneWhereTheSettingIsOff) {
  const std::string outlier = kOutlier, off = "enabled: false";
  EXPECT_EQ(PrioritiesOf(Rule(outlier + ", " + Setting(off)), At("r1/z1/s1")), kAlike);
  EXPECT_EQ(PrioritiesOf(Mesh(off) + Rule(outlier), At("r1/z1/s1")), kAlike);
  EXPECT_EQ(PrioritiesOf(Mesh(off) + Rule(outlier + ", " + Setting("enabled: true")), At("r2/z1")),
            "0: 4 | 1: 1 2 3 5 6");
  EXPECT_EQ(PrioritiesOf(Mesh("failover: [{from: r1, to: r3}]") + Rule(outlier + ", " + Setting("enabled: true")),
                         At("r1/z1/s1")),
            "0: 1 | 1: 2 | 2: 3 | 3: 4 5 6")
      << "the rule's setting is in place of the whole of the mesh's";
}

TEST(Localities, OfTheMeshHoldForEveryHost) {
  EXPECT_EQ(PrioritiesOf(Mesh("failover: [{from: r1, to: r3}]") + Rule(kOutlier), At("r1/z2")),
            "0: 3 | 1: 1 2 | 2: 5 | 3: 4 6");
  EXPECT_EQ(SharesOf(Mesh("distribute: [{from: \"*\", to: {\"r2/*\": 100}}]"), At("r1/z1/s1")), "r2/z1 100");
  EXPECT_TRUE(Weighted(Mesh("distribute: [{from: \"*\", to: {\"r2/*\": 100}}]")));
}

TEST(Localities, AreDistributedAsTheFirstThatIsForTheClientSays) {
  const std::string rule =
      Rule(Setting("distribute: [{from: r1/z1/*, to: {\"r1/z1/s1\": 70, \"r1/z2/*\": 10, \"r2/*\": 20}}, {from: r1/*, "
                   "to: {\"r1/*\": "
                   "80, r2: 20}}]"));
  EXPECT_EQ(SharesOf(rule, At("r1/z1/s2")), "r1/z1/s1 70, r1/z2 10, r2/z1 20");
  EXPECT_EQ(SharesOf(rule, At("r1/z2")), "r1/z1/s1 27, r1/z1/s2 27, r1/z2 27, r2/z1 20") << "a third each, rounded up";
  EXPECT_EQ(SharesOf(rule, At("r3/z1")), " 1, r1/z1/s1 1, r1/z1/s2 1, r1/z2 1, r2/z1 1, r3/z1 1")
      << "for nobody there: as many as there are endpoints";
  EXPECT_TRUE(Weighted(rule));
}

TEST(Localities, AreDistributedWhateverOutlierDetectionAndLabelsSay) {
  const std::string rule = Rule(std::string(kOutlier) + ", " +
                                Setting("distribute: [{from: r1, to: {r2: 100}}], failoverPriority: [version]"));
  EXPECT_EQ(SharesOf(rule, At("r1/z1/s1")), "r2/z1 100");
}

TEST(Localities, GoByLabelsThatAgreeOneAfterTheOther) {
  const auto rule = [](const std::string& labels, const std::string& more = "") {
    return Rule(std::string(kOutlier) + ", " + Setting("failoverPriority: [" + labels + "]" + more));
  };
  model::Proxy proxy = At("r1/z1/s1");
  proxy.labels = {{"version", "v2"}};
  EXPECT_EQ(PrioritiesOf(rule("version"), proxy), "0: 2 4 6 | 1: 1 3 5");
  EXPECT_EQ(PrioritiesOf(rule("version, topology.kubernetes.io/region"), proxy), "0: 2 | 1: 4 6 | 2: 1 3 5");
  EXPECT_EQ(PrioritiesOf(rule("topology.kubernetes.io/region, version"), proxy), "0: 2 | 1: 1 3 | 2: 4 5 6");
  EXPECT_EQ(PrioritiesOf(rule("version=v1, topology.kubernetes.io/zone"), proxy), "0: 1 5 | 1: 3 | 2: 2 4 6");
  EXPECT_EQ(PrioritiesOf(rule("kubernetes.io/hostname"), proxy), "0: 2 | 1: 1 3 4 5 6");
  EXPECT_EQ(PrioritiesOf(rule("topology.istio.io/cluster"), proxy), kAlike);
  EXPECT_EQ(PrioritiesOf(rule("version=v1", ", failover: [{from: r1, to: r3}]"), proxy),
            "0: 1 | 1: 3 | 2: 5 | 3: 2 | 4: 4 6")
      << "by locality among those whose labels are alike";
  EXPECT_TRUE(Weighted(rule("version")));
}

TEST(Localities, FollowThePolicyOfThePortAndOfTheSubset) {
  const std::string port = Rule("portLevelSettings: [{port: {number: 81}, " + std::string(kOutlier) + "}]");
  EXPECT_EQ(PrioritiesOf(port, At("r2/z1")), kAlike);
  EXPECT_EQ(PrioritiesOf(port, At("r2/z1"), "outbound|81||web.default.svc.cluster.local"), "0: 4 | 1: 1 2 3 5 6");
  const std::string subset =
      "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: rule}\nspec: {host: web, "
      "trafficPolicy: {" +
      std::string(kOutlier) +
      "}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}, trafficPolicy: {" +
      Setting("enabled: false") + "}}]}\n";
  EXPECT_EQ(PrioritiesOf(subset, At("r3/z1"), "outbound|80|v1|web.default.svc.cluster.local"), "0: 5 | 1: 1 3");
  EXPECT_EQ(PrioritiesOf(subset, At("r3/z1"), "outbound|80|v2|web.default.svc.cluster.local"), "0: 2 4 6");
}

TEST(Localities, AreTheSameForEnvoysAndGateways) {
  model::Proxy envoy = At("r2/z1"), gateway = At("r2/z1");
  envoy.form = model::Proxy::Form::kEnvoy;
  gateway.type = model::Proxy::Type::kRouter;
  for (const model::Proxy& proxy : {envoy, gateway}) {
    EXPECT_EQ(PrioritiesOf(Rule(kOutlier), proxy), "0: 4 | 1: 1 2 3 5 6");
    EXPECT_TRUE(Weighted(Rule(Setting("distribute: [{from: r2, to: {r1: 100}}]")), proxy));
  }
}

TEST(Localities, OfNamesStandInTheClusterItself) {
  const auto snapshot = model::testing::SnapshotOf(kServices + Rule(kOutlier, "outside.example.com"));
  const auto cluster = FindCluster(At("r2/z1"), *snapshot, "outbound|80||outside.example.com");
  ASSERT_TRUE(cluster);
  EXPECT_EQ(Priorities(cluster->load_assignment), "0: far.example.com | 1: near.example.com");
}

TEST(Localities, OfAnotherNetworkAreThoseOfWhatIsBehindItsGateway) {
  const std::string networks =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  meshNetworks: "
      "'networks: {far: {gateways: [{address: 192.0.2.9, port: 15443}]}}'\n";
  std::vector<model::Workload> pods = Pods();
  for (const std::size_t away : {3U, 4U}) pods[away].labels["topology.istio.io/network"] = "far";
  model::Proxy proxy = At("r2/z1");
  proxy.network = "near";
  const auto assigned = [&](const std::string& rule) {
    return Priorities(*FindEndpoints(proxy, *model::testing::SnapshotOf(kServices + networks + rule, pods), kCluster));
  };
  EXPECT_EQ(assigned(""), "0: 1 2 3 6 9");
  EXPECT_EQ(assigned(Rule(kOutlier)), "0: 9 | 1: 1 2 3 6 9") << "for r2, and for r3 behind the same gateway";
}

// Those that share a key share endpoints.
TEST(Localities, TellApartOnlyWhereItMatters) {
  const auto key = [](const std::string& more, const model::Proxy& proxy) {
    const auto snapshot = model::testing::SnapshotOf(kServices + more, Pods());
    return Localities(proxy, *snapshot, *FindOutboundTarget(proxy, *snapshot, kCluster)).Key();
  };
  EXPECT_EQ(key("", At("r1")), "");
  EXPECT_EQ(key(Rule(kOutlier), At("r1/z1")), " at r1/z1");
  const std::string labels = Rule(std::string(kOutlier) + ", " + Setting("failoverPriority: [version, team=a]"));
  model::Proxy proxy = At("r1/z1");
  proxy.labels = {{"version", "v2"}, {"team", "b"}};
  EXPECT_EQ(key(labels, proxy), " version=v2");
  const std::string shares = Rule(Setting("distribute: [{from: r1/*, to: {r2: 100}}]"));
  EXPECT_EQ(key(shares, At("r1/z1")), key(shares, At("r1/z2")));
  EXPECT_NE(key(shares, At("r1/z1")), key(shares, At("r2/z2")));
}

}  // namespace
}  // namespace plait::control::translate
