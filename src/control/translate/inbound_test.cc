// What a workload's proxy speaks to its application, and what it lets callers' proxies speak.
#include <gtest/gtest.h>

#include <map>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "control/translate/listeners.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;
using Protocol = xds::UpstreamHttpOptions::Protocol;

constexpr const char* kService = R"(
apiVersion: v1
kind: Service
metadata: {name: chat}
spec:
  clusterIP: 10.96.2.9
  selector: {app: chat}
  ports:
  - {name: http, port: 80, targetPort: 8300}
  - {name: any, port: 81, targetPort: 8301}
  - {name: http2, port: 82, targetPort: 8302}
  - {name: grpc, port: 83, targetPort: 8303}
  - {name: http-other, port: 84, targetPort: 8304}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: chat}
spec:
  host: chat
  trafficPolicy:
    connectionPool: {http: {h2UpgradePolicy: UPGRADE}}
    portLevelSettings: [{port: {number: 84}, connectionPool: {http: {useClientProtocol: true}}}]
)";

std::optional<Protocol> ProtocolOf(const char* cluster) {
  const model::SnapshotRef snapshot =
      model::testing::SnapshotOf(kService, {RunningPod("chat-0", "chat", {{"app", "chat"}}, "10.244.0.9", "chat")});
  const model::Proxy proxy{.id = "chat-0.default",
                           .name_space = "default",
                           .service_account = "chat",
                           .ips = {*io::IpAddress::Parse("10.244.0.9")}};
  const auto found = FindCluster(proxy, *snapshot, cluster);
  if (!found) return std::nullopt;
  return found->http.protocol;
}

TEST(Inbound, SpeaksWhatThePortDeclaresWhateverTheCallersProxySpeaks) {
  EXPECT_EQ(ProtocolOf("outbound|80||chat.default.svc.cluster.local"), Protocol::kHttp2) << "it upgrades";
  EXPECT_EQ(ProtocolOf("inbound|8300||"), Protocol::kHttp1);
  EXPECT_EQ(ProtocolOf("inbound|8301||"), Protocol::kUseDownstream) << "nothing else tells";
  EXPECT_EQ(ProtocolOf("inbound|8302||"), Protocol::kHttp2);
  EXPECT_EQ(ProtocolOf("inbound|8303||"), Protocol::kHttp2);
}

TEST(Inbound, SpeaksWhatTheClientDoesWhereARuleOfTheServiceSaysSo) {
  EXPECT_EQ(ProtocolOf("outbound|84||chat.default.svc.cluster.local"), Protocol::kUseDownstream);
  EXPECT_EQ(ProtocolOf("inbound|8304||"), Protocol::kUseDownstream);
}

// By listener and chain, whether each HTTP connection manager takes a WebSocket in HTTP/2.
std::map<std::string, bool> TakeConnect(const model::Proxy& proxy, const std::string& manifests) {
  const model::SnapshotRef snapshot =
      model::testing::SnapshotOf(manifests, {RunningPod("chat-0", "chat", {{"app", "chat"}}, "10.244.0.9", "chat")});
  std::map<std::string, bool> out;
  for (const xds::Listener& listener : Listeners(proxy, *snapshot))
    for (const xds::FilterChain& chain : listener.filter_chains)
      for (const auto& filter : chain.filters)
        if (const auto* manager = std::get_if<xds::HttpConnectionManager>(&filter.config))
          out[listener.name + "/" + chain.name] = manager->http2.allow_connect;
  return out;
}

TEST(Inbound, TakesAWebSocketInHttp2OfAProxy) {
  const model::Proxy proxy{.form = model::Proxy::Form::kEnvoy,
                           .id = "chat-0.default",
                           .name_space = "default",
                           .service_account = "chat",
                           .ips = {*io::IpAddress::Parse("10.244.0.9")}};
  int inbound = 0;
  for (const auto& [name, takes] : TakeConnect(proxy, kService)) {
    EXPECT_EQ(takes, name.starts_with("virtualInbound")) << name;
    inbound += takes ? 1 : 0;
  }
  EXPECT_GT(inbound, 0);
}

TEST(Inbound, OfAGatewayTakesItOnlyOfProxiesAndNotOfBrowsers) {
  constexpr const char* kGateway = R"(
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.test], tls: {mode: SIMPLE, credentialName: a}}
  - {port: {number: 444, name: mesh, protocol: HTTPS}, hosts: ["*"], tls: {mode: ISTIO_MUTUAL}}
)";
  const model::Proxy proxy{
      .type = model::Proxy::Type::kRouter, .name_space = "istio-system", .labels = {{"istio", "ingressgateway"}}};
  std::map<int, bool> by_port;
  for (const auto& [name, takes] : TakeConnect(proxy, kGateway))
    by_port[name.contains("444") ? 444 : name.contains("443") ? 443 : 80] = takes;
  EXPECT_EQ(by_port, (std::map<int, bool>{{80, false}, {443, false}, {444, true}}));
}

}  // namespace
}  // namespace plait::control::translate
