#include "control/serve/mesh_provider.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>

#include "control/model/testing_objects.h"
#include "control/serve/delta_session.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types
using Hosts = std::set<std::string, std::less<>>;
using Pods = std::vector<model::Workload>;
using model::testing::RunningPod;
using model::testing::SnapshotOf;

constexpr char kServices[] = R"(
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {clusterIP: 10.96.1.1, selector: {app: a}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {clusterIP: None, selector: {app: b}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: written}
spec:
  hosts: [written.example]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{name: http, number: 80, protocol: HTTP}]
  endpoints: [{address: 192.0.2.LAST}]
)";
std::string Yaml(const std::string& last = "1", const std::string& more = "") {
  std::string text = kServices;
  return text.replace(text.find("LAST"), 4, last) + more;
}
constexpr char kRule[] =
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
    "spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}\n";

Pods TwoPods(bool ready = true) {
  Pods pods = {RunningPod("a-0", "a", {{"app", "a"}}, "10.244.0.1"),
               RunningPod("b-0", "b", {{"app", "b"}}, "10.244.0.2")};
  pods[0].ready = ready;
  return pods;
}

Proxy Sidecar(const std::string& name = "a-0") {
  Proxy proxy;
  proxy.name = name;
  proxy.name_space = "default";
  proxy.plait_form = true;
  proxy.identity = {"cluster.local", "default", "default"};
  proxy.ips = {*io::IpAddress::Parse("10.244.0.1")};
  return proxy;
}

constexpr char kA[] = "outbound|80||a.default.svc.cluster.local";
constexpr char kB[] = "outbound|80||b.default.svc.cluster.local";

TEST(Difference, APodThatIsNotReadyTouchesItsServiceAndItself) {
  const Difference difference = Compare(*SnapshotOf(Yaml(), TwoPods(true)), *SnapshotOf(Yaml(), TwoPods(false)));
  EXPECT_TRUE(difference.rules.empty() && !difference.index);
  EXPECT_EQ(difference.hosts, Hosts{"a.default.svc.cluster.local"});
  EXPECT_EQ(difference.workloads, Hosts{"default/a-0"});
  EXPECT_TRUE(difference.Touches(kA));
  EXPECT_FALSE(difference.Touches(kB));
  using Extent = Difference::Extent;
  EXPECT_EQ(difference.Of(kEndpoint, Sidecar()), Extent::kSome);
  EXPECT_EQ(difference.Of(kListener, Sidecar("a-0")), Extent::kAll) << "its own pod";
  EXPECT_EQ(difference.Of(kListener, Sidecar("b-0")), Extent::kNothing);
  EXPECT_EQ(difference.Of(kRoute, Sidecar()), Extent::kNothing);
}

TEST(Difference, AGatewaysPodTouchesTheSecretsOfGateways) {
  Pods with_edge = TwoPods();
  with_edge.push_back(RunningPod("edge-0", "edge", {{"istio", "edge"}}, "10.244.0.3"));
  with_edge.back().gateway = true;
  Proxy edge = Sidecar("edge-0");
  edge.kind = Proxy::Kind::kRouter;
  using Extent = Difference::Extent;
  const Difference came = Compare(*SnapshotOf(Yaml(), TwoPods()), *SnapshotOf(Yaml(), with_edge));
  EXPECT_EQ(came.Of(kSecret, edge), Extent::kAll) << "it may read now what Gateways tell it to use";
  EXPECT_EQ(came.Of(kSecret, Sidecar()), Extent::kNothing);
  EXPECT_EQ(Compare(*SnapshotOf(Yaml(), TwoPods(true)), *SnapshotOf(Yaml(), TwoPods(false))).Of(kSecret, edge),
            Extent::kNothing);
}

TEST(Difference, APodThatIsTheWayIntoANetworkTouchesTheEndpointsOfAllServices) {
  const auto mesh = [&](bool gateway_ready, const std::string& name_space = "istio-system") {
    const std::string networks =
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: " + name_space +
        "}\ndata:\n  meshNetworks: "
        "'networks: {far: {gateways: [{registryServiceName: b.default.svc.cluster.local, port: 80}]}}'\n";
    Pods pods = TwoPods();
    pods[0].labels["topology.istio.io/network"] = "far";
    pods[1].ready = gateway_ready;
    return SnapshotOf(Yaml("1", networks), pods);
  };
  Proxy near = Sidecar();
  near.network = "near";
  MeshProvider provider("roots");
  provider.SetSnapshot(mesh(false));
  const ResourceRef before = provider.Find(near, kEndpoint, kA);
  const Difference difference = provider.SetSnapshot(mesh(true));
  EXPECT_TRUE(difference.Touches(kA)) << "it is called through b";
  const ResourceRef now = provider.Find(near, kEndpoint, kA);
  ASSERT_TRUE(before && now);
  EXPECT_NE(before->version, now->version);
  EXPECT_FALSE(Compare(*mesh(false, "default"), *mesh(true, "default")).Touches(kA)) << "no networks of the mesh";
}

TEST(Difference, AWrittenEndpointTouchesItsHost) {
  const Difference difference = Compare(*SnapshotOf(Yaml("1"), TwoPods()), *SnapshotOf(Yaml("2"), TwoPods()));
  EXPECT_TRUE(difference.rules.empty() && !difference.index);
  EXPECT_EQ(difference.hosts, Hosts{"written.example"});
  EXPECT_TRUE(difference.workloads.empty());
}

TEST(Difference, ARuleLeavesTheIndexAsItIs) {
  const Difference difference = Compare(*SnapshotOf(Yaml(), TwoPods()), *SnapshotOf(Yaml("1", kRule), TwoPods()));
  EXPECT_EQ(difference.rules, std::set{model::Kind::kVirtualService});
  EXPECT_FALSE(difference.index);
  EXPECT_EQ(difference.Of(kRoute, Sidecar()), Difference::Extent::kAll);
  EXPECT_EQ(difference.Of(kAddress, Sidecar()), Difference::Extent::kNothing);
}

TEST(Difference, AServiceOrWhatItIsMadeOfTouchesTheIndex) {
  for (const char* more : {"---\napiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {ports: [{port: 80}]}\n",
                           "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: "
                           "p}\nspec: {mtls: {mode: STRICT}}\n"})
    EXPECT_TRUE(Compare(*SnapshotOf(Yaml(), TwoPods()), *SnapshotOf(Yaml("1", more), TwoPods())).index) << more;
  EXPECT_FALSE(Compare(*SnapshotOf(Yaml(), TwoPods()), *SnapshotOf(Yaml(), TwoPods())).index);
}

TEST(MeshProvider, AChangeOfOnePodMakesOnlyItsOwnAnew) {
  MeshProvider provider("roots");
  provider.SetSnapshot(SnapshotOf(Yaml(), TwoPods()));
  const ResourceRef a = provider.Find(Sidecar(), kEndpoint, kA);
  const ResourceRef b = provider.Find(Sidecar(), kEndpoint, kB);
  const ResourceRef route = provider.Find(Sidecar(), kRoute, "80");
  ASSERT_TRUE(a && b && route);
  EXPECT_EQ(provider.All(Sidecar(), kAddress).size(), 5U);

  Pods three = TwoPods();
  three.push_back(RunningPod("a-1", "a", {{"app", "a"}}, "10.244.0.3"));
  const Difference difference = provider.SetSnapshot(SnapshotOf(Yaml(), three));
  EXPECT_FALSE(difference.all_addresses);
  EXPECT_EQ(difference.addresses, std::vector<std::string>{"Kubernetes//Pod/default/a-1"});
  EXPECT_EQ(difference.address_aliases, std::vector<std::string>{"/10.244.0.3"});
  EXPECT_NE(provider.Find(Sidecar(), kEndpoint, kA)->version, a->version);
  EXPECT_EQ(provider.Find(Sidecar(), kEndpoint, kB), b);
  EXPECT_EQ(provider.Find(Sidecar(), kRoute, "80"), route);
  EXPECT_EQ(provider.Find(Sidecar(), kAddress, "/10.244.0.3")->name, "Kubernetes//Pod/default/a-1");
  EXPECT_EQ(provider.Find(Sidecar(), kAddress, "/10.96.1.1")->name, "default/a.default.svc.cluster.local");
}

TEST(MeshProvider, ProxiesThatNoRuleTellsApartShareRoutes) {
  MeshProvider provider("roots");
  const auto routes = [&](const char* app, const char* version) {
    Proxy proxy = Sidecar();
    proxy.node.labels = {{"app", app}, {"version", version}};
    return provider.Find(proxy, kRoute, "80");
  };
  provider.SetSnapshot(SnapshotOf(Yaml(), TwoPods()));
  EXPECT_EQ(routes("x", "1"), routes("y", "2"));
  const std::string for_x =
      "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
      "spec: {hosts: [a], http: [{match: [{sourceLabels: {app: x}}], fault: {abort: {httpStatus: 555, percentage: "
      "{value: 100}}}, route: [{destination: {host: a}}]}]}\n";
  provider.SetSnapshot(SnapshotOf(Yaml("1", for_x), TwoPods()));
  EXPECT_NE(routes("x", "1")->version, routes("y", "1")->version);
  EXPECT_EQ(routes("x", "1"), routes("x", "2"));
}

// Pods of a in two localities; a client in one of three.
Pods InTwoLocalities() {
  Pods pods = TwoPods();
  pods[0].labels["istio-locality"] = "r1.z1";
  pods.push_back(RunningPod("a-1", "a", {{"app", "a"}, {"istio-locality", "r2.z1"}}, "10.244.0.3"));
  for (const char* client : {"c-r1", "c-r1-too", "c-r2", "c-r3"})
    pods.push_back(RunningPod(client, "c", {{"istio-locality", std::string(client).substr(2, 2) + ".z1"}},
                              "10.244.0." + std::to_string(4 + pods.size())));
  return pods;
}
std::string Ejecting(const std::string& host) {
  return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: eject}\nspec: {host: '" +
         host + "', trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}}\n";
}

TEST(MeshProvider, ProxiesOfOneLocalityShareEndpointsWhereItMattersAndAllElsewhere) {
  MeshProvider provider("roots");
  const auto endpoints = [&](const char* client, const char* cluster) {
    return provider.Find(Sidecar(client), kEndpoint, cluster);
  };
  provider.SetSnapshot(SnapshotOf(Yaml(), InTwoLocalities()));
  EXPECT_EQ(endpoints("c-r1", kA), endpoints("c-r2", kA)) << "without outlier detection it is one";
  provider.SetSnapshot(SnapshotOf(Yaml("1", Ejecting("a")), InTwoLocalities()));
  EXPECT_EQ(endpoints("c-r1", kA), endpoints("c-r1-too", kA));
  EXPECT_NE(endpoints("c-r1", kA)->version, endpoints("c-r2", kA)->version);
  EXPECT_NE(endpoints("c-r1", kA)->version, endpoints("c-r3", kA)->version);
  EXPECT_EQ(endpoints("c-r1", kB), endpoints("c-r2", kB)) << "another host's";
  EXPECT_EQ(provider.Find(Sidecar("c-r1"), kCluster, kA), provider.Find(Sidecar("c-r2"), kCluster, kA));
  EXPECT_EQ(provider.Find(Sidecar("c-r1"), kRoute, "80"), provider.Find(Sidecar("c-r2"), kRoute, "80"));
  provider.SetSnapshot(SnapshotOf(Yaml("1", Ejecting("*.local")), InTwoLocalities()));
  EXPECT_NE(endpoints("c-r1", kA)->version, endpoints("c-r2", kA)->version) << "by a pattern";
}

TEST(MeshProvider, LocalitiesOfNodesRulesAndTheMeshAreToldWhenTheyChange) {
  const std::string node_of =
      "---\napiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {topology.kubernetes.io/region: ";
  const std::string off =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
      "data: {mesh: 'localityLbSetting: {enabled: false}'}\n";
  Pods pods = InTwoLocalities();
  pods.push_back(RunningPod("d-0", "d", {}, "10.244.0.40"));
  pods.back().node = "n1";
  const Proxy client = Sidecar("d-0");
  MeshProvider provider("roots");
  std::string last;
  const auto changes = [&](const std::string& more) {
    const Difference difference = provider.SetSnapshot(SnapshotOf(Yaml("1", more), pods));
    const std::string now = provider.Find(client, kEndpoint, kA)->version;
    const bool other = std::exchange(last, now) != now;
    return other && difference.Of(kEndpoint, client) == Difference::Extent::kAll;
  };
  changes("");
  EXPECT_FALSE(changes(node_of + "r1}}\n"));
  EXPECT_TRUE(changes(node_of + "r1}}\n" + Ejecting("a"))) << "a rule";
  EXPECT_TRUE(changes(node_of + "r2}}\n" + Ejecting("a"))) << "the Node's label";
  EXPECT_TRUE(changes(node_of + "r2}}\n" + Ejecting("a") + off)) << "the mesh";
  EXPECT_TRUE(changes(node_of + "r2}}\n" + Ejecting("a")));
  pods.back().labels["istio-locality"] = "r1";
  EXPECT_TRUE(changes(node_of + "r2}}\n" + Ejecting("a"))) << "the own pod's label";
}

// One of each form that reads its configuration differently.
std::vector<Proxy> Proxies() {
  std::vector<Proxy> all = {Sidecar(), Sidecar(), Sidecar("edge-0")};
  all[1].plait_form = false;
  all[2].plait_form = false;
  all[2].kind = Proxy::Kind::kRouter;
  all[2].node.labels = {{"istio", "ingressgateway"}};
  return all;
}
constexpr std::string_view kTypes[] = {kAddress, kListener, kCluster, kEndpoint, kRoute, kL4Routes, kSecret};

using Versions = std::map<std::string, std::map<std::string, std::string>>;  // by type, by name

Versions VersionsOf(MeshProvider& provider, const Proxy& proxy) {
  Versions out;
  for (const std::string_view type : kTypes) {
    auto& versions = out[std::string(type)];
    for (const ResourceRef& resource : provider.All(proxy, type)) versions[resource->name] = resource->version;
    for (const char* name : {"80", "kubernetes://secret"})
      if (const ResourceRef found = provider.Find(proxy, type, name)) versions[found->name] = found->version;
  }
  return out;
}

// A client of all types that acknowledges everything at once.
struct Subscriber {
  explicit Subscriber(Proxy who) : proxy(std::move(who)) {
    for (const std::string_view type : kTypes)
      EXPECT_TRUE(session.OnRequest({.type_url = std::string(type), .subscribe = {"*", "80", "kubernetes://secret"}}));
  }
  Versions Settle(MeshProvider& provider) {
    for (auto responses = session.Take(provider, proxy); !responses.empty(); responses = session.Take(provider, proxy))
      for (const auto& response : responses)
        EXPECT_TRUE(session.OnRequest({.type_url = response.type_url, .response_nonce = response.nonce}));
    Versions out;
    for (const std::string_view type : kTypes) out[std::string(type)] = session.Held(type);
    return out;
  }
  Proxy proxy;
  DeltaSession session;
};

// Rules of every kind, in two versions each.
std::string RandomRules(const std::function<int(int)>& pick) {
  std::string out;
  const auto add = [&](const char* api, const char* kind, const std::string& spec) {
    if (pick(2) != 0) return;
    out += std::string("---\napiVersion: ") + api + "\nkind: " + kind + "\nmetadata: {name: rule}\n" + spec + "\n";
  };
  const std::string second = std::to_string(1 + pick(2));
  add("networking.istio.io/v1", "VirtualService",
      "spec: {hosts: [a], gateways: [mesh, default/rule], http: [{timeout: " + second +
          "s, route: [{destination: {host: a}}]}]}");
  add("networking.istio.io/v1", "DestinationRule",
      "spec: {host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: " + second + "}}" +
          std::string(pick(2) != 0 ? ", outlierDetection: {consecutive5xxErrors: 1}" : "") +
          "}, subsets: [{name: one, "
          "labels: {app: a}}]}");
  add("networking.istio.io/v1", "Gateway",
      "spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 8" + second +
          ", name: http, protocol: HTTP}, "
          "hosts: ['*']}]}");
  add("security.istio.io/v1", "AuthorizationPolicy",
      "spec: {action: DENY, rules: [{to: [{operation: {paths: [/" + second + "]}}]}]}");
  add("security.istio.io/v1", "PeerAuthentication",
      "spec: {mtls: {mode: " + std::string(second == "1" ? "STRICT" : "PERMISSIVE") + "}}");
  return out;
}

// Whatever happened before, the answers are those of a provider that sees this configuration first, and a client that
// is told only what may differ holds the same.
TEST(MeshProvider, AnswersAsIfItHadNoPast) {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
  MeshProvider provider("roots");
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  for (const Proxy& proxy : Proxies()) subscribers.push_back(std::make_unique<Subscriber>(proxy));
  Pods pods = TwoPods();
  std::string more, last = "1";
  for (int step = 0; step < 200; ++step) {
    switch (pick(7)) {
      case 0:
        pods.push_back(RunningPod("p-" + std::to_string(step), "p", {{"app", pick(2) ? "a" : "b"}},
                                  "10.244.1." + std::to_string(step)));
        break;
      case 1:
        if (pods.size() > 1) pods.erase(pods.begin() + pick(static_cast<int>(pods.size())));
        break;
      case 2: pods[static_cast<std::size_t>(pick(static_cast<int>(pods.size())))].ready = pick(2) != 0; break;
      case 3:
        pods[static_cast<std::size_t>(pick(static_cast<int>(pods.size())))].labels["app"] = pick(2) ? "a" : "b";
        break;
      case 4: last = std::to_string(1 + pick(3)); break;
      case 5:
        pods[static_cast<std::size_t>(pick(static_cast<int>(pods.size())))].labels["istio-locality"] =
            pick(2) ? "r1" : "r2";
        break;
      default: more = RandomRules(pick); break;
    }
    Pods sorted = pods;
    std::sort(sorted.begin(), sorted.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
    const Difference difference = provider.SetSnapshot(SnapshotOf(Yaml(last, more), sorted));
    MeshProvider fresh("roots");
    fresh.SetSnapshot(SnapshotOf(Yaml(last, more), sorted));
    for (const auto& subscriber : subscribers) {
      const Versions wanted = VersionsOf(fresh, subscriber->proxy);
      ASSERT_EQ(VersionsOf(provider, subscriber->proxy), wanted) << "step " << step << "\n" << more;
      subscriber->session.OnConfigChanged(difference, subscriber->proxy);
      ASSERT_EQ(subscriber->Settle(provider), wanted) << "step " << step << "\n" << more;
    }
  }
}

}  // namespace
}  // namespace plait::control::serve
