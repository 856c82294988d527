#include "control/translate/gateway_servers.h"

#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"

namespace plait::control::translate {
namespace {
using model::testing::SnapshotOf;

// Two servers of one port, one of them for this machine only; each has a host of its own.
model::SnapshotRef Bound() {
  return SnapshotOf(R"(
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  selector: {app: edge}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: [inner.example.com]}
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 10.0.0.9, hosts: [outer.example.com]}
  - {port: {number: 8080, name: more, protocol: HTTP}, hosts: [inner.example.com]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
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
