#include "control/translate/gateway_servers.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"

namespace plait::control::translate {
namespace {
using model::testing::SnapshotOf;

// The Gateway "g" of kGateway with these servers, a list; and the VirtualService "v" with this spec, if any.
model::SnapshotRef GatewayWith(const std::string& servers, const std::string& rules = "") {
  std::string yaml =
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  selector: {app: edge}\n"
      "  servers:" +
      servers;
  if (!rules.empty())
    yaml += "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec:" + rules;
  return SnapshotOf(yaml);
}

// Two servers of one port, one of them for this machine only; each has a host of its own.
model::SnapshotRef Bound() {
  return GatewayWith(R"(
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: [inner.example.com]}
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 10.0.0.9, hosts: [outer.example.com]}
  - {port: {number: 8080, name: more, protocol: HTTP}, hosts: [inner.example.com]}
)",
                     R"(
  hosts: [inner.example.com, outer.example.com]
  gateways: [g]
  http: [{redirect: {authority: other.example.com, derivePort: FROM_REQUEST_PORT}}]
)");
}
const model::Proxy kGateway{.type = model::Proxy::Type::kRouter, .name_space = "default", .labels = {{"app", "edge"}}};

TEST(GatewayServers, ListenOnlyWhereTheyAreBound) {
  std::string said;
  for (const xds::Listener& listener : Listeners(kGateway, *Bound())) {
    said += listener.name + ":";
    for (const xds::ListenerAddress& address : listener.addresses) said += " " + address.address.ToString();
    said += "\n";
  }
  EXPECT_EQ(said,
            "10.0.0.9_80: 10.0.0.9:80\n"
            "127.0.0.1_80: 127.0.0.1:80\n"
            "0.0.0.0_8080: 0.0.0.0:8080 [::]:8080\n");
}

TEST(GatewayServers, OfOnePortHaveRoutesOfTheirOwnWhenTheyAreBoundApart) {
  const model::SnapshotRef snapshot = Bound();
  EXPECT_EQ(RouteNames(kGateway, *snapshot),
            (std::vector<std::string>{"http.80.10.0.0.9", "http.80.127.0.0.1", "http.8080"}));
  const auto inner = FindRoutes(kGateway, *snapshot, "http.80.127.0.0.1");
  ASSERT_TRUE(inner);
  ASSERT_EQ(inner->virtual_hosts.size(), 1U);
  EXPECT_EQ(inner->virtual_hosts[0].domains, std::vector<std::string>{"inner.example.com"});
}

TEST(GatewayServers, OfProtocolTcpAreOpaqueOnlyWithoutTls) {
  const model::SnapshotRef snapshot = GatewayWith(R"(
  - {port: {number: 1000, name: plain, protocol: TCP}, hosts: ["*"]}
  - {port: {number: 1001, name: ends, protocol: TCP}, hosts: [db.example.com], tls: {mode: SIMPLE, credentialName: c}}
  - {port: {number: 1002, name: passes, protocol: TCP}, hosts: [db.example.com], tls: {mode: PASSTHROUGH}}
)",
                                                  R"(
  hosts: [db.example.com]
  gateways: [g]
  tcp: [{route: [{destination: {host: db, port: {number: 1}}}]}]
  tls: [{match: [{sniHosts: [db.example.com]}], route: [{destination: {host: db, port: {number: 2}}}]}]
)");
  const auto listeners = Listeners(kGateway, *snapshot);
  ASSERT_EQ(listeners.size(), 3U);
  const auto chain = [&](std::size_t i) { return listeners[i].filter_chains.at(0); };
  const auto cluster = [&](std::size_t i) {
    return std::get<xds::TcpProxy>(chain(i).filters.back().config).clusters.at(0).name;
  };
  const std::vector<std::string> sni = {"db.example.com"};
  EXPECT_FALSE(chain(0).tls);
  EXPECT_EQ(chain(0).match, xds::FilterChainMatch{});
  EXPECT_EQ(cluster(0), "outbound|1||db.default.svc.cluster.local");
  ASSERT_TRUE(chain(1).tls) << "TLS ends here, and goes on by tcp rules";
  EXPECT_EQ(chain(1).tls->common.certificate_secrets.at(0).name, "kubernetes://c");
  EXPECT_EQ(chain(1).match.transport_protocol, "tls");
  EXPECT_EQ(chain(1).match.server_names, sni);
  EXPECT_EQ(cluster(1), "outbound|1||db.default.svc.cluster.local");
  EXPECT_FALSE(chain(2).tls) << "TLS is passed on by tls rules";
  EXPECT_EQ(chain(2).match.transport_protocol, "tls");
  EXPECT_EQ(chain(2).match.server_names, sni);
  EXPECT_EQ(cluster(2), "outbound|2||db.default.svc.cluster.local");
}

// As the client of an egress gateway writes them: rules for the mesh and for the gateway in one VirtualService.
TEST(GatewayServers, TakeTlsAndTcpRulesWhoseMatchesNameTheGatewayAsIstioAllows) {
  for (const char* name : {"g", "default/g", "./g", "g.default", "g.default.svc.cluster.local"}) {
    const model::SnapshotRef snapshot =
        GatewayWith(R"(
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [db.example.com], tls: {mode: PASSTHROUGH}}
  - {port: {number: 31400, name: tcp, protocol: TCP}, hosts: ["*"]}
)",
                    R"(
  hosts: [db.example.com]
  gateways: [mesh, ")" + std::string(name) +
                        R"("]
  tls:
  - {match: [{gateways: [mesh], sniHosts: [db.example.com]}], route: [{destination: {host: first}}]}
  - {match: [{gateways: [")" +
                        name + R"("], port: 443, sniHosts: [db.example.com]}], route: [{destination: {host: db}}]}
  tcp:
  - {match: [{gateways: [")" +
                        name + R"("], port: 31400}], route: [{destination: {host: db}}]}
)");
    for (const xds::Listener& listener : Listeners(kGateway, *snapshot)) {
      ASSERT_EQ(listener.filter_chains.size(), 1U) << name << ": " << listener.name;
      EXPECT_EQ(std::get<xds::TcpProxy>(listener.filter_chains[0].filters.back().config).clusters.at(0).name,
                listener.name == "0.0.0.0_443" ? "outbound|443||db.default.svc.cluster.local"
                                               : "outbound|31400||db.default.svc.cluster.local")
          << name;
    }
  }
}

TEST(GatewayServers, WithoutARuleCloseWhoConnects) {
  const model::SnapshotRef snapshot = GatewayWith(R"(
  - {port: {number: 31400, name: tcp, protocol: TCP}, hosts: ["*"]}
)");
  const auto listeners = Listeners(kGateway, *snapshot);
  ASSERT_EQ(listeners.size(), 1U) << "the host's socket is open, and nobody would accept there";
  const std::vector<xds::NetworkFilter>& filters = listeners[0].filter_chains.at(0).filters;
  EXPECT_EQ(std::get<xds::TcpProxy>(filters.back().config).clusters.at(0).name, "BlackHoleCluster");
  EXPECT_EQ(filters.front().name, "istio.stats") << "and counts it";
}

TEST(GatewayServers, RedirectToThePortOfTheRequest) {
  const model::SnapshotRef snapshot = Bound();
  for (const auto& [name, port] : {std::pair("http.80.127.0.0.1", 80), std::pair("http.8080", 8080)}) {
    const auto routes = FindRoutes(kGateway, *snapshot, name);
    ASSERT_TRUE(routes) << name;
    EXPECT_EQ(std::get<xds::RedirectAction>(routes->virtual_hosts.at(0).routes.at(0).action).port, port);
  }
}

}  // namespace
}  // namespace plait::control::translate
