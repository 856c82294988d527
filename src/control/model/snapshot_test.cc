#include "control/model/snapshot.h"

#include <gtest/gtest.h>

#include "control/model/address_allocation.h"
#include "control/model/hosts.h"
#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::RunningPod;
using testing::SnapshotOf;

constexpr char kServices[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: a}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: main}, {name: tcp, port: 90}]}
---
apiVersion: v1
kind: Service
metadata: {name: private, namespace: a, annotations: {networking.istio.io/exportTo: "."}}
spec: {selector: {app: private}, ports: [{name: http, port: 80}]}
)";

std::string PeerAuth(const std::string& name, const std::string& name_space, const std::string& spec) {
  return "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: " + name +
         ", namespace: " + name_space + "}\nspec: " + spec + "\n";
}
std::string Rule(const std::string& name, const std::string& name_space, const std::string& spec) {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: " + name +
         ", namespace: " + name_space + "}\nspec: " + spec + "\n";
}

TEST(Snapshot, FindsEndpointsByLabelsAndPortName) {
  Workload pod = RunningPod("web-0", "web", {{"app", "web"}}, "10.244.0.5", "sa", "a");
  pod.ports = {{.name = "main", .port = 8080}};
  Workload stranger = RunningPod("web-0", "web", {{"app", "web"}}, "10.244.0.6", "sa", "b");
  const SnapshotRef snapshot = SnapshotOf(kServices, {pod, stranger});
  const ServiceView* web = snapshot->FindService("web.a.svc.cluster.local", "b");
  ASSERT_NE(web, nullptr);
  ASSERT_EQ(web->endpoints[0].size(), 1U) << "endpoints are of the service's own namespace";
  EXPECT_EQ(web->endpoints[0][0].port, 8080);
  EXPECT_EQ(web->endpoints[1][0].port, 90);
  EXPECT_EQ(web->endpoints[0][0].identity, "spiffe://cluster.local/ns/a/sa/sa");
  EXPECT_EQ(snapshot->FindByVip(web->vips.at(0).base), web);
  EXPECT_EQ(snapshot->FindWorkload(*io::IpAddress::Parse("10.244.0.6"))->name_space, "b");
}

TEST(Snapshot, OffersNoMeshTlsToAGatewayAndReachesItWhereItListens) {
  constexpr char kEdge[] = R"(
apiVersion: v1
kind: Service
metadata: {name: edge, namespace: a}
spec: {selector: {istio: edge}, ports: [{name: http, port: 80, targetPort: 8080}, {name: status, port: 15021}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: a}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
)";
  Workload pod = RunningPod("edge-0", "edge", {{"istio", "edge"}}, "10.244.0.5", "sa", "a");
  pod.gateway = true;
  const auto endpoint = [&](std::size_t port) {
    return SnapshotOf(kEdge, {pod})->FindService("edge.a.svc.cluster.local", "b")->endpoints[port].at(0);
  };
  EXPECT_EQ(endpoint(0).port, 80);
  EXPECT_FALSE(endpoint(0).mtls);
  EXPECT_EQ(endpoint(1).port, 15021);
  pod.labels["security.istio.io/tlsMode"] = "istio";
  EXPECT_TRUE(endpoint(0).mtls);
  pod.gateway = false;
  EXPECT_EQ(endpoint(0).port, 8080);
  pod.labels["security.istio.io/tlsMode"] = "disabled";
  EXPECT_FALSE(endpoint(0).mtls);
}

TEST(Snapshot, ShowsAServiceOnlyWhereItIsExported) {
  const SnapshotRef snapshot = SnapshotOf(kServices);
  EXPECT_NE(snapshot->FindService("private.a.svc.cluster.local", "a"), nullptr);
  EXPECT_EQ(snapshot->FindService("private.a.svc.cluster.local", "b"), nullptr);
  EXPECT_EQ(snapshot->VisibleServices("b").size(), 1U);
}

TEST(Snapshot, IsTheSameWhateverTheOrderOfObjects) {
  Decoded decoded = DecodeText(kServices, "f");
  std::vector<ObjectRef> reversed(decoded.objects.rbegin(), decoded.objects.rend());
  const auto a = Snapshot::Build(decoded.objects, nullptr, {});
  const auto b = Snapshot::Build(reversed, nullptr, {});
  for (std::size_t i = 0; i < a->services().size(); ++i) EXPECT_EQ(a->services()[i]->vips, b->services()[i]->vips);
}

TEST(Addresses, AreStableByNameAndNeverTaken) {
  AddressPool pool = AddressPool::ClusterIps();
  const auto first = pool.Take("default/web");
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(io::Cidr::Parse("10.96.0.0/16")->Contains(first[0]));
  EXPECT_TRUE(io::Cidr::Parse("fd00:10:96::/112")->Contains(first[1]));
  EXPECT_NE(pool.Take("default/web")[0], first[0]);
  AddressPool other = AddressPool::ClusterIps();
  other.Reserve(first[0]);
  EXPECT_NE(other.Take("default/web")[0], first[0]) << "an explicit clusterIP keeps its address";
}

TEST(Snapshot, MergesDestinationRulesOfOneHostAndPrefersTheClientsNamespace) {
  const SnapshotRef snapshot = SnapshotOf(
      std::string(kServices) + Rule("r1", "a", "{host: web, subsets: [{name: v1, labels: {v: '1'}}]}") +
      Rule("r2", "a", "{host: web.a.svc.cluster.local, subsets: [{name: v2, labels: {v: '2'}}]}") +
      Rule("wide", "b", "{host: '*.a.svc.cluster.local'}") +
      Rule("exact", "b", "{host: web.a.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}"));
  const DestinationRule* from_c = snapshot->FindDestinationRule({.name_space = "c"}, "web.a.svc.cluster.local", "a");
  ASSERT_NE(from_c, nullptr);
  EXPECT_EQ(from_c->subsets.size(), 2U);
  EXPECT_EQ(snapshot->FindDestinationRule({.name_space = "b"}, "web.a.svc.cluster.local", "a")->meta.name(), "exact");
  EXPECT_EQ(snapshot->FindDestinationRule({.name_space = "b"}, "other.a.svc.cluster.local", "a")->meta.name(), "wide");
}

TEST(Snapshot, MergesADestinationRuleOnlyIntoOneThatIsExportedToNobodyElse) {
  const auto subset = [](const std::string& name, const std::string& more = "") {
    return "{host: web, subsets: [{name: " + name + ", labels: {v: '1'}}]" + more + "}";
  };
  // The subsets that clients of a namespace see, in the order of their rules' age.
  const auto seen = [](const SnapshotRef& snapshot, const std::string& client) {
    std::string out;
    const auto* rule = snapshot->FindDestinationRule({.name_space = client}, "web.a.svc.cluster.local", "a");
    if (!rule) return std::string("no rule");
    for (const Subset& one : rule->subsets) out += (out.empty() ? "" : " ") + one.name;
    return out;
  };
  const SnapshotRef snapshot = SnapshotOf(std::string(kServices) + Rule("r1", "a", subset("one", ", exportTo: [b]")) +
                                          Rule("r2", "a", subset("two", ", exportTo: [c, b]")) +
                                          Rule("r3", "a", subset("three", ", exportTo: [d]")) +
                                          Rule("r4", "a", subset("four", ", exportTo: [b, c]")));
  EXPECT_EQ(seen(snapshot, "b"), "one two four") << "r2 and r4 are exported wherever r1 is";
  EXPECT_EQ(seen(snapshot, "c"), "two four") << "and beyond";
  EXPECT_EQ(seen(snapshot, "d"), "three");
  EXPECT_EQ(seen(snapshot, "e"), "no rule");
  const SnapshotRef narrower = SnapshotOf(std::string(kServices) + Rule("r1", "a", subset("one")) +
                                          Rule("r2", "a", subset("two", ", exportTo: ['*']")) +
                                          Rule("r3", "a", subset("three", ", exportTo: ['.']")));
  EXPECT_EQ(seen(narrower, "a"), "one two") << "not exported is exported to all, and r3 to fewer";
  EXPECT_EQ(seen(narrower, "b"), "one two");
}

TEST(Snapshot, DecidesMutualTlsByTheNarrowestScope) {
  using Mode = PeerAuthentication::Mode;
  const std::string yaml = PeerAuth("mesh", "istio-system", "{mtls: {mode: STRICT}}") +
                           PeerAuth("ns", "a", "{mtls: {mode: UNSET}}") +
                           PeerAuth("one", "a",
                                    "{selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}, portLevelMtls: "
                                    "{80: {mode: DISABLE}, 81: {mode: UNSET}}}");
  const SnapshotRef snapshot = SnapshotOf(yaml);
  EXPECT_EQ(snapshot->MtlsOf("a", {{"app", "other"}}).mode, Mode::kStrict) << "UNSET leaves it to the mesh";
  const ServerMtls web = snapshot->MtlsOf("a", {{"app", "web"}});
  EXPECT_EQ(web.ModeOf(80), Mode::kDisable);
  EXPECT_EQ(web.ModeOf(81), Mode::kPermissive);
  EXPECT_EQ(SnapshotOf("")->MtlsOf("a", {}).mode, Mode::kPermissive);
  EXPECT_EQ(SnapshotOf("", {}, {.mesh = {}, .strict_by_default = true})->MtlsOf("a", {}).mode, Mode::kStrict);
  const SnapshotRef bad =
      SnapshotOf(PeerAuth("one", "a", "{selector: {matchLabels: {app: web}}, mtls: {mode: DISABLED}}"));
  const ServerMtls closed = bad->MtlsOf("a", {{"app", "web"}});
  EXPECT_EQ(closed.mode, Mode::kStrict) << "an invalid policy fails closed";
  ASSERT_NE(closed.invalid, nullptr) << "and is known";
  EXPECT_EQ(closed.invalid->meta.name(), "one");
  EXPECT_EQ(bad->MtlsOf("a", {{"app", "x"}}).mode, Mode::kPermissive) << "and only in its scope";
  EXPECT_EQ(bad->MtlsOf("a", {{"app", "x"}}).invalid, nullptr);
}

TEST(Snapshot, FindsPoliciesOfTheMeshTheNamespaceAndTheWorkload) {
  const auto policy = [](const char* name, const char* ns, const char* spec) {
    return std::string("---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ") + name +
           ", namespace: " + ns + "}\nspec: " + spec + "\n";
  };
  const SnapshotRef snapshot =
      SnapshotOf(policy("z", "istio-system", "{rules: [{}]}") + policy("a", "a", "{}") +
                 policy("b", "a", "{selector: {matchLabels: {app: web}}}") + policy("c", "b", "{}"));
  const auto found = snapshot->PoliciesOf("a", {{"app", "web"}});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]->meta.name(), "z");
  EXPECT_EQ(found[2]->meta.name(), "b");
}

TEST(Snapshot, DoesNotWarnOfPodsThatADeploymentIsAboutToMake) {
  const std::string yaml = R"(
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: a}
spec: {selector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: a}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
)";
  const std::vector<Workload> others = {RunningPod("x", "x", {{"app", "x"}}, "10.0.0.1")};
  for (const auto& [replicas, warnings] : {std::pair{"2", 0U}, std::pair{"0", 1U}}) {
    std::string text = yaml;
    text.replace(text.find("REPLICAS"), 8, replicas);
    EXPECT_EQ(SnapshotOf(text, others)->findings().size(), warnings) << replicas;
  }
}

TEST(Snapshot, WarnsOfReferencesToNothingWithTheirPlace) {
  const SnapshotRef snapshot = SnapshotOf(std::string(kServices) + R"(---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: a}
spec:
  hosts: [web]
  gateways: [nowhere]
  http:
  - route:
    - {destination: {host: wep}, weight: 1}
    - {destination: {host: web, subset: v9}, weight: 1}
)");
  const std::string said = testing::Said(snapshot->findings());
  EXPECT_NE(said.find("Referenced gateway not found: \"a/nowhere\""), std::string::npos) << said;
  EXPECT_NE(said.find("Warning [IST0101] test.yaml:20:21: VirtualService a/v: Referenced host not found: \"wep\""),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("[IST0112]"), std::string::npos) << said;
  EXPECT_NE(said.find("web+v9"), std::string::npos) << said;
}

TEST(Snapshot, TakesTheRootNamespaceFromTheMeshConfigThatNamesOne) {
  const auto root = [](const std::string& name_space, const std::string& mesh) {
    SnapshotOptions options;
    options.mesh.root_namespace = name_space;
    return SnapshotOf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: " + name_space +
                          "}\ndata: {mesh: '" + mesh + "'}\n",
                      {}, options)
        ->mesh()
        .root_namespace;
  };
  EXPECT_EQ(root("istio-system", "{rootNamespace: policies}"), "policies");
  EXPECT_EQ(root("istio-system", "{}"), "istio-system");
  EXPECT_EQ(root("mesh", "{}"), "mesh");
}

TEST(Hosts, AreResolvedAndMatchedAsIstioDoes) {
  EXPECT_EQ(ResolveHost("reviews", "ns", "cluster.local"), "reviews.ns.svc.cluster.local");
  EXPECT_EQ(ResolveHost("a.b", "ns", "cluster.local"), "a.b");
  EXPECT_TRUE(HostMatches("*.b.c", "a.b.c"));
  EXPECT_FALSE(HostMatches("*.b.c", "b.c"));
  EXPECT_TRUE(HostsOverlap("*.c", "*.b.c"));
  EXPECT_FALSE(HostsOverlap("*.a.c", "*.b.c"));
  EXPECT_FALSE(IsHostPattern("a..b"));
  EXPECT_FALSE(IsHostPattern("*a.b"));
}

TEST(Snapshot, APodKeepsItsAddressWhateverAServiceSays) {
  const auto snapshot = SnapshotOf(
      "apiVersion: v1\nkind: Service\nmetadata: {name: thief}\n"
      "spec: {clusterIP: 10.244.0.9, clusterIPs: [10.244.0.9, 'fd00::9'], ports: [{port: 80}]}\n",
      {RunningPod("web-0", "web", {{"app", "web"}}, "10.244.0.9")});
  EXPECT_EQ(snapshot->FindByVip(*io::IpAddress::Parse("10.244.0.9")), nullptr);
  ASSERT_NE(snapshot->FindByVip(*io::IpAddress::Parse("fd00::9")), nullptr);
  EXPECT_EQ(snapshot->FindWorkload(*io::IpAddress::Parse("10.244.0.9"))->name, "web-0");
  EXPECT_NE(testing::Said(snapshot->findings())
                .find("the address 10.244.0.9 is that of the pod default/web-0, which keeps it (leave clusterIP out"),
            std::string::npos)
      << testing::Said(snapshot->findings());
}

}  // namespace
}  // namespace plait::control::model
