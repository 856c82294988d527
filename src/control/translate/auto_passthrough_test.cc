// The way of a request into another network: from the client's cluster by the server name of its mutual TLS through the
// gateway's chains and clusters to a workload.
#include "control/translate/auto_passthrough.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/listeners.h"
#include "control/translate/names.h"
#include "core/base/strings.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;
using model::testing::SnapshotOf;

constexpr char kMesh[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: udp, port: 81, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: hidden, annotations: {networking.istio.io/exportTo: "."}}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: each}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: tcp, port: 90, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec: {hosts: [outside.local], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
  subsets: [{name: V2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: each}
spec: {host: each, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  meshNetworks: |
    networks:
      near: {endpoints: [{fromCidr: 10.1.0.0/16}], gateways: [{address: 172.16.0.1}]}
      far: {endpoints: [{fromCidr: 10.2.0.0/16}], gateways: [{address: 172.16.0.2}]}
---
)";

std::string GatewayFor(const std::string& hosts) {
  return "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: east-west, namespace: istio-system}\n"
         "spec: {selector: {istio: eastwestgateway}, servers: [{port: {number: 15443, name: tls, protocol: TLS}, "
         "tls: {mode: AUTO_PASSTHROUGH}, hosts: [" +
         hosts + "]}]}\n";
}

class AutoPassthrough : public ::testing::Test {
 protected:
  void Serve(const std::string& hosts, const std::string& more = "") {
    model::Workload plain = RunningPod("web-plain", "web", {{"app", "web"}, {"version", "v2"}}, "10.2.0.9", "far");
    plain.meshed = false;
    snapshot_ = SnapshotOf(
        kMesh + GatewayFor(hosts) + more,
        {RunningPod("web-near", "web-near", {{"app", "web"}, {"version", "v1"}}, "10.1.0.1", "near"),
         RunningPod("web-far-1", "web-far-1", {{"app", "web"}, {"version", "v1"}}, "10.2.0.1", "far"),
         RunningPod("web-far-2", "web-far-2", {{"app", "web"}, {"version", "v2"}}, "10.2.0.2", "far"), plain});
  }
  const xds::FilterChain* ChainFor(std::string_view sni, const std::vector<std::string>& alpn) {
    listeners_ = Listeners(gateway_, *snapshot_);
    for (const xds::Listener& listener : listeners_) {
      for (const xds::FilterChain& chain : listener.filter_chains) {
        if (chain.name == "BlackHoleCluster") continue;  // a server that takes nothing
        EXPECT_EQ(listener.listener_filters.at(0).kind, xds::ListenerFilter::Kind::kTlsInspector);
        const auto names = [](const auto& list, const auto& value) { return std::ranges::count(list, value) > 0; };
        if (chain.match.transport_protocol == "tls" && names(chain.match.server_names, sni) &&
            std::ranges::any_of(alpn, [&](const auto& one) { return names(chain.match.application_protocols, one); }))
          return &chain;
      }
    }
    return nullptr;
  }
  // The pods to which TLS with this server name is passed on.
  std::string Behind(const std::string& sni, const std::vector<std::string>& alpn = {"istio-http/1.1", "istio"}) {
    const xds::FilterChain* chain = ChainFor(ToLower(sni), alpn);
    if (!chain) return "refused";
    EXPECT_FALSE(chain->tls) << "it is the workload that ends TLS";
    return At(std::get<xds::TcpProxy>(chain->filters.back().config).clusters.at(0).name);
  }
  std::string At(const std::string& cluster) {
    const auto found = FindCluster(gateway_, *snapshot_, cluster);
    if (!found) return "no cluster " + cluster;
    EXPECT_FALSE(found->tls || !found->transport_socket_matches.empty()) << "TLS in TLS";
    EXPECT_EQ(found->type, xds::Cluster::Type::kEds);
    const auto back = xds::DecodeCluster(xds::Encode(*found));
    EXPECT_TRUE(back && *back == *found);
    std::string out;
    const auto endpoints = FindEndpoints(gateway_, *snapshot_, cluster);
    for (const auto& locality : endpoints ? endpoints->localities : std::vector<xds::LocalityEndpoints>{})
      for (const xds::Endpoint& endpoint : locality.endpoints) {
        EXPECT_TRUE(endpoint.identity.empty()) << "the gateway verifies nobody";
        out += (out.empty() ? "" : ",") + endpoint.address.ToString();
      }
    return out.empty() ? "nobody" : out;
  }

  model::SnapshotRef snapshot_;
  model::Proxy client_{.name_space = "default", .network = "near"};
  model::Proxy gateway_{.type = model::Proxy::Type::kRouter,
                        .name_space = "istio-system",
                        .labels = {{"istio", "eastwestgateway"}},
                        .network = "far"};

 private:
  std::vector<xds::Listener> listeners_;
};

TEST_F(AutoPassthrough, LeadsAClientOfAnotherNetworkToThisNetworksPods) {
  Serve("\"*.local\"");
  const std::string name = "outbound|80||web.default.svc.cluster.local";
  const auto seen = FindEndpoints(client_, *snapshot_, name);
  ASSERT_TRUE(seen);
  std::vector<std::string> addresses;
  for (const auto& locality : seen->localities)
    for (const xds::Endpoint& endpoint : locality.endpoints) addresses.push_back(endpoint.address.ToString());
  EXPECT_EQ(addresses, (std::vector<std::string>{"10.1.0.1:8080", "172.16.0.2:15443"}));
  const auto cluster = FindCluster(client_, *snapshot_, name);
  ASSERT_TRUE(cluster && cluster->tls);
  std::vector<std::string> servers;
  for (const auto& san : cluster->tls->common.validation->subject_alt_names) servers.push_back(san.matcher.value);
  EXPECT_EQ(servers, (std::vector<std::string>{"spiffe://cluster.local/ns/default/sa/far",
                                               "spiffe://cluster.local/ns/default/sa/near"}))
      << "who may answer behind the gateway, which is none of them itself";
  EXPECT_EQ(Behind(cluster->tls->sni), "10.2.0.1:8080,10.2.0.2:8080") << "neither the other network nor plaintext";
}

TEST_F(AutoPassthrough, KnowsSubsetsByTheirOwnServerNames) {
  Serve("\"*.local\"");
  EXPECT_EQ(Behind("outbound_.80_.V2_.web.default.svc.cluster.local"), "10.2.0.2:8080");
}

TEST_F(AutoPassthrough, HasOneChainForSubsetsThatDifferInCaseOnly) {
  Serve("\"*.local\"", R"(---
apiVersion: v1
kind: Service
metadata: {name: twice}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: twice}
spec:
  host: twice
  subsets: [{name: v1, labels: {version: v1}}, {name: V1, labels: {version: v2}}]
)");
  EXPECT_EQ(Behind("outbound_.80_.v1_.twice.default.svc.cluster.local"), "10.2.0.1:8080") << "the first";
  std::set<std::vector<std::string>> names;
  for (const xds::Listener& listener : Listeners(gateway_, *snapshot_))
    for (const xds::FilterChain& chain : listener.filter_chains)
      EXPECT_TRUE(names.insert(chain.match.server_names).second)
          << chain.name << ": an Envoy refuses a listener with two chains that match the same";
  EXPECT_GT(names.size(), 3U);
}

TEST_F(AutoPassthrough, TakesAnyPodOfAHeadlessService) {
  Serve("\"*.local\"");
  EXPECT_EQ(Behind("outbound_.90_._.each.default.svc.cluster.local"), "10.2.0.1:8080,10.2.0.2:8080");
  const auto cluster = FindCluster(gateway_, *snapshot_, "outbound_.90_._.each.default.svc.cluster.local");
  EXPECT_FALSE(cluster->pin_original_dst) << "the address that was dialled is the gateway's";
  gateway_.form = model::Proxy::Form::kEnvoy;
  EXPECT_EQ(Behind("outbound_.90_._.each.default.svc.cluster.local"), "10.2.0.1:8080,10.2.0.2:8080");
}

TEST_F(AutoPassthrough, RefusesWhatIsNoNameOfTheMesh) {
  Serve("\"*.local\"");
  EXPECT_EQ(Behind("web.default.svc.cluster.local"), "refused");
  EXPECT_EQ(Behind("outbound_.81_._.web.default.svc.cluster.local"), "refused") << "UDP";
  EXPECT_EQ(Behind("outbound_.82_._.web.default.svc.cluster.local"), "refused") << "no such port";
  EXPECT_EQ(Behind("outbound_.80_._.web.hidden.svc.cluster.local"), "refused") << "not exported";
  EXPECT_EQ(Behind("outbound_.80_._.outside.local"), "refused") << "outside the mesh";
  EXPECT_EQ(Behind("outbound_.80_._.web.default.svc.cluster.local", {"h2", "http/1.1"}), "refused")
      << "TLS that is not the mesh's would be for an application itself";
}

TEST_F(AutoPassthrough, IsForTheHostsThatTheServerLists) {
  const std::string sni = "outbound_.80_._.web.default.svc.cluster.local";
  for (const char* hosts : {"\"*\"", "default/web.default.svc.cluster.local", "Web.Default.svc.cluster.local"}) {
    Serve(hosts);
    EXPECT_NE(Behind(sni), "refused") << hosts;
  }
  for (const char* hosts : {"each.default.svc.cluster.local", "other/*", "./*", "\"*.global\""}) {
    Serve(hosts);
    EXPECT_EQ(Behind(sni), "refused") << hosts;
    EXPECT_EQ(At(sni), "no cluster " + sni) << hosts;
  }
}

TEST_F(AutoPassthrough, GivesItsClustersToNobodyElse) {
  Serve("\"*.local\"");
  const std::string sni = "outbound_.80_._.web.default.svc.cluster.local";
  const auto has = [&](const model::Proxy& proxy) {
    EXPECT_EQ(std::ranges::count(ClusterNames(proxy, *snapshot_), sni),
              FindCluster(proxy, *snapshot_, sni).has_value());
    EXPECT_EQ(std::ranges::count(EndpointNames(proxy, *snapshot_), sni),
              FindEndpoints(proxy, *snapshot_, sni).has_value());
    return FindCluster(proxy, *snapshot_, sni).has_value();
  };
  EXPECT_TRUE(has(gateway_));
  EXPECT_FALSE(has(client_));
  gateway_.type = model::Proxy::Type::kSidecar;
  EXPECT_FALSE(has(gateway_)) << "a sidecar with a gateway's labels";
  gateway_.type = model::Proxy::Type::kRouter;
  gateway_.labels = {{"istio", "ingressgateway"}};
  EXPECT_FALSE(has(gateway_)) << "a gateway that the Gateway does not select";
}

TEST_F(AutoPassthrough, BalancesByTheRulesForTheHost) {
  Serve("\"*.local\"");
  const auto policy = [&](const char* name) { return FindCluster(gateway_, *snapshot_, name)->lb.policy; };
  EXPECT_EQ(policy("outbound_.90_._.each.default.svc.cluster.local"), xds::LbPolicy::kLeastRequest)
      << "PASSTHROUGH would be to the gateway itself";
  EXPECT_EQ(policy("outbound_.80_.V2_.web.default.svc.cluster.local"), xds::LbPolicy::kRoundRobin);
}

TEST_F(AutoPassthrough, StandsBesideOtherServersOfThePort) {
  Serve("\"*.local\"", R"(---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: other, namespace: istio-system}
spec:
  selector: {istio: eastwestgateway}
  servers:
  - {port: {number: 15443, name: pass, protocol: TLS}, hosts: [own.example.com], tls: {mode: PASSTHROUGH}}
  - {port: {number: 15443, name: again, protocol: HTTPS}, hosts: ["*.default.svc.cluster.local"], tls: {mode: AUTO_PASSTHROUGH}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: own, namespace: istio-system}
spec:
  hosts: [own.example.com]
  gateways: [other]
  tls: [{match: [{sniHosts: [own.example.com]}], route: [{destination: {host: web.default.svc.cluster.local}}]}]
)");
  const auto listeners = Listeners(gateway_, *snapshot_);
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_EQ(listeners[0].listener_filters.size(), 1U);
  EXPECT_EQ(listeners[0].filter_chains.size(), 4U) << "the mesh's names, once, and the other one";
  const auto back = xds::DecodeListener(xds::Encode(listeners[0]));
  EXPECT_TRUE(back && *back == listeners[0]);
}

TEST_F(AutoPassthrough, AsksThePoliciesOfTheGateway) {
  Serve("\"*.local\"", R"(---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: near-only, namespace: istio-system}
spec: {selector: {matchLabels: {istio: eastwestgateway}}, rules: [{from: [{source: {ipBlocks: [10.1.0.0/16]}}]}]}
)");
  const xds::FilterChain* chain = ChainFor("outbound_.80_._.web.default.svc.cluster.local", {"istio"});
  ASSERT_TRUE(chain);
  EXPECT_TRUE(std::holds_alternative<xds::NetworkRbac>(chain->filters.at(0).config));
}

TEST(SniNames, AreReadAsTheClustersThatTheyStandFor) {
  const std::string sni = MeshSni({.port = 80, .subset = "v1", .hostname = "a.b"});
  EXPECT_EQ(sni, "outbound_.80_.v1_.a.b");
  const auto name = ParseOutboundCluster(sni);
  ASSERT_TRUE(name);
  EXPECT_TRUE(name->sni_dnat);
  EXPECT_EQ(name->port, 80);
  EXPECT_EQ(name->subset, "v1");
  EXPECT_EQ(name->hostname, "a.b");
  EXPECT_FALSE(ParseOutboundCluster("outbound|80|v1|a.b")->sni_dnat);
  for (const char* none : {"", "outbound", "outbound_.80_.v1", "outbound_.80_._.", "outbound_.0_._.a",
                           "outbound_.x_._.a", "outbound_.80|v1|a", "outboundx_.80_._.a", "inbound|80||",
                           "outbound|80|a", "outbound|80||a|b", "outbound_.65536_._.a"})
    EXPECT_FALSE(ParseOutboundCluster(none)) << none;
}

}  // namespace
}  // namespace plait::control::translate
