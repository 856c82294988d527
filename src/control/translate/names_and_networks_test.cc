// Other names of services, written endpoints and networks, as proxies are told of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/model/testing_objects.h"
#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/l4_routes.h"
#include "control/translate/routes.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;
using model::testing::SnapshotOf;

constexpr char kWeb[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
)";

TEST(ServiceEntries, AreCalledWithMutualTlsWhereAnEndpointHasAnAccountOfTheMesh) {
  const auto cluster = [](const std::string& resolution, const std::string& endpoint) {
    const auto snapshot = SnapshotOf(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: vm}\nspec: {hosts: "
        "[vm.example.com], location: MESH_INTERNAL, ports: [{number: 80, name: http, protocol: HTTP}], "
        "resolution: " +
        resolution + ", endpoints: [" + endpoint + "]}\n");
    return *FindCluster({.name_space = "default"}, *snapshot, "outbound|80||vm.example.com");
  };
  for (const auto& [resolution, address] : {std::pair("STATIC", "10.1.0.1"), std::pair("DNS", "vm.corp.example.com")}) {
    const std::string endpoint = std::string("{address: ") + address;
    const xds::Cluster mutual = cluster(resolution, endpoint + ", serviceAccount: vm}");
    ASSERT_EQ(mutual.transport_socket_matches.size(), 2U) << resolution;
    EXPECT_EQ(mutual.transport_socket_matches[0].tls->common.validation->subject_alt_names.at(0).matcher.value,
              "spiffe://cluster.local/ns/default/sa/vm");
  }
  EXPECT_TRUE(cluster("DNS", "{address: vm.corp.example.com}").transport_socket_matches.empty());
}

TEST(ExternalNames, LeadToTheirTargetWithItsIdentityAndRules) {
  const auto snapshot = SnapshotOf(kWeb, {RunningPod("web-0", "web", {{"app", "web"}}, "10.244.0.1", "web-sa")});
  const model::Proxy proxy{.name_space = "default"};
  const auto routes = FindRoutes(proxy, *snapshot, "80");
  ASSERT_TRUE(routes);
  ASSERT_EQ(routes->virtual_hosts.size(), 1U);
  const auto& domains = routes->virtual_hosts[0].domains;
  EXPECT_NE(std::find(domains.begin(), domains.end(), "front.default.svc.cluster.local"), domains.end());
  EXPECT_NE(std::find(domains.begin(), domains.end(), "front:80"), domains.end());
  const auto endpoints = FindEndpoints(proxy, *snapshot, "outbound|80||front.default.svc.cluster.local");
  ASSERT_TRUE(endpoints) << "a rule may name it as destination";
  EXPECT_EQ(endpoints->localities.at(0).endpoints.at(0).identity, "spiffe://cluster.local/ns/default/sa/web-sa");
  const auto names = ClusterNames(proxy, *snapshot);
  EXPECT_EQ(std::count_if(names.begin(), names.end(), [](const auto& n) { return n.find("front") != n.npos; }), 0);
}

TEST(RoutesOfAPort, HaveOneName) {
  const auto snapshot = SnapshotOf(std::string(kWeb) + R"(---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], tcp: [{match: [{port: 80}], route: [{destination: {host: web}}]}]}
)");
  const model::Proxy proxy{.name_space = "default"};
  const auto http = FindRoutes(proxy, *snapshot, "80");
  const auto tcp = FindL4Routes(proxy, *snapshot, "80");
  ASSERT_TRUE(http && tcp);
  EXPECT_EQ(http->name, "80");
  EXPECT_EQ(tcp->name, "80");
  for (const char* name : {"", "0", "080", "65536", "+80", "80 "}) {
    EXPECT_FALSE(FindRoutes(proxy, *snapshot, name)) << name;
    EXPECT_FALSE(FindL4Routes(proxy, *snapshot, name)) << name;
  }
}

TEST(WrittenEndpoints, OfAHeadlessServiceHaveNamesInTheIndex) {
  const auto snapshot = SnapshotOf(R"(
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: a, port: 1}, {name: b, port: 2}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: a, port: 11}, {name: b, port: 12}]
endpoints: [{addresses: [192.168.7.1], hostname: one}]
)");
  const auto all = Addresses(*snapshot);
  ASSERT_EQ(all.size(), 2U);
  const auto& workload = std::get<xds::Workload>(all[1].address.value);
  EXPECT_EQ(workload.dns_hostname, "one");
  EXPECT_EQ(workload.dns_subdomain, "db");
  EXPECT_EQ(workload.services.at("default/db.default.svc.cluster.local").size(), 2U);
  EXPECT_EQ(workload.tunnel_protocol, xds::TunnelProtocol::kNone);
  for (const std::string& key : {std::string("/192.168.7.1"), all[1].name}) {
    const auto found = FindAddress(*snapshot, key);
    ASSERT_TRUE(found) << key;
    EXPECT_EQ(found->name, all[1].name);
  }
  EXPECT_FALSE(FindAddress(*snapshot, "/192.168.7.2"));
}

TEST(NamesOfTheOutside, AreAskedForAtTheRateOfTheMeshAndSoonerWhileTheyHaveNoAddress) {
  using namespace std::chrono_literals;
  const auto cluster = [](const std::string& mesh) {
    const auto snapshot = SnapshotOf(R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec: {hosts: [api.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: ")" + mesh + "\"\n");
    const auto found = FindCluster({.name_space = "default"}, *snapshot, "outbound|80||api.example.com");
    EXPECT_TRUE(found);
    const auto back = xds::DecodeCluster(xds::Encode(*found));
    EXPECT_TRUE(back.has_value() && *back == *found);
    return *found;
  };
  const xds::Cluster usual = cluster("{}");
  EXPECT_EQ(usual.dns_refresh_rate, 60s);
  EXPECT_TRUE(usual.respect_dns_ttl);
  EXPECT_EQ(usual.dns_failure_refresh_rate, (xds::DnsFailureRefreshRate{1s, 60s}));
  EXPECT_EQ(usual.dns_jitter, 100ms);
  const xds::Cluster often = cluster("{dnsRefreshRate: 0.5s}");
  EXPECT_EQ(often.dns_refresh_rate, 500ms);
  EXPECT_EQ(often.dns_failure_refresh_rate, (xds::DnsFailureRefreshRate{500ms, 500ms}));
}

TEST(Networks, AreReachedThroughTheirGateways) {
  const std::string networks = R"(
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  meshNetworks: |
    networks:
      near: {endpoints: [{fromCidr: 10.1.0.0/16}], gateways: [{address: 172.16.0.1}]}
      far: {endpoints: [{fromCidr: 10.2.0.0/16}], gateways: [{address: 172.16.0.2, port: 443}]}
)";
  model::Workload plain = RunningPod("web-3", "web", {{"app", "web"}}, "10.2.0.3");
  plain.meshed = false;
  const auto snapshot = SnapshotOf(kWeb + networks, {RunningPod("web-0", "web", {{"app", "web"}}, "10.1.0.1"),
                                                     RunningPod("web-1", "web", {{"app", "web"}}, "10.2.0.1"),
                                                     RunningPod("web-2", "web", {{"app", "web"}}, "10.2.0.2"), plain});
  const auto seen = [&](const std::string& network) {
    std::string out;
    const auto assignment = FindEndpoints({.name_space = "default", .network = network}, *snapshot,
                                          "outbound|80||web.default.svc.cluster.local");
    for (const auto& locality : assignment->localities)
      for (const xds::Endpoint& endpoint : locality.endpoints)
        out += endpoint.address.ToString() + "x" + std::to_string(endpoint.weight) +
               (endpoint.transport_socket_match.empty() ? "" : "+tls") + (endpoint.identity.empty() ? " " : "+id ");
    return out;
  };
  EXPECT_EQ(seen("near"), "10.1.0.1:80x1+tls+id 172.16.0.2:443x2+tls ") << "what takes no TLS cannot be reached";
  EXPECT_EQ(seen("far"), "10.2.0.1:80x1+tls+id 10.2.0.2:80x1+tls+id 10.2.0.3:80x1 172.16.0.1:15443x1+tls ");
  EXPECT_EQ(seen("").find("172."), std::string::npos) << "a proxy without a network reaches everybody directly";
}

}  // namespace
}  // namespace plait::control::translate
