// Security policies that cannot be honoured as written fail closed in their scope, and the proxy knows which it was
// (semantics.md 5).
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/listeners.h"
#include "control/translate/rbac.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace plait::control::translate {
namespace {

std::string Security(const std::string& kind, const std::string& name, const std::string& spec) {
  return "---\napiVersion: security.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + spec +
         "\n";
}

model::Proxy ProxyOf(const std::string& app, const char* ip) {
  return {
      .id = app + "-0.default", .name_space = "default", .labels = {{"app", app}}, .ips = {*io::IpAddress::Parse(ip)}};
}

class InvalidPolicies : public ::testing::Test {
 protected:
  void Take(const std::string& policies) {
    const std::string service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: b}\n"
        "spec: {clusterIP: 10.96.1.1, selector: {app: b}, ports: [{name: http, port: 80, targetPort: 8080}]}\n";
    snapshot_ = model::testing::SnapshotOf(service + policies,
                                           {model::testing::RunningPod("a-0", "a", {{"app", "a"}}, "10.244.0.1"),
                                            model::testing::RunningPod("b-0", "b", {{"app", "b"}}, "10.244.0.2")});
  }
  xds::Listener ListenerOf(const model::Proxy& proxy) const { return Listeners(proxy, *snapshot_).at(1); }
  static const xds::Inbound& InboundOf(const xds::Listener& listener) {
    return std::get<xds::Inbound>(listener.default_filter_chain->filters.at(0).config);
  }

  model::SnapshotRef snapshot_;
  const model::Proxy a_ = ProxyOf("a", "10.244.0.1");
  const model::Proxy b_ = ProxyOf("b", "10.244.0.2");
};

TEST_F(InvalidPolicies, ForPeersMakeEachPortStrictAndAreNamedThere) {
  Take(Security("PeerAuthentication", "broken", "{selector: {matchLabels: {app: b}}, mtls: {mode: OPEN}}"));
  const xds::Listener listener = ListenerOf(b_);
  const xds::Inbound& inbound = InboundOf(listener);
  ASSERT_EQ(inbound.ports.size(), 1U);
  for (const xds::InboundPort& port : {inbound.ports[0], inbound.other}) {
    EXPECT_EQ(port.mode, xds::MtlsMode::kStrict) << port.port;
    EXPECT_EQ(port.strict_by, "invalid_policy[default/broken]-kind[PeerAuthentication]") << port.port;
  }
  const auto back = xds::DecodeListener(xds::Encode(listener));
  ASSERT_TRUE(back.has_value()) << back.error().ToString();
  EXPECT_TRUE(*back == listener) << "as the proxy reads it";
}

TEST_F(InvalidPolicies, ForPeersMeanNothingOutOfTheirScope) {
  Take(Security("PeerAuthentication", "broken", "{selector: {matchLabels: {app: b}}, mtls: {mode: OPEN}}"));
  const xds::Listener listener = ListenerOf(a_);
  EXPECT_EQ(InboundOf(listener).other.mode, xds::MtlsMode::kPermissive);
  EXPECT_EQ(InboundOf(listener).other.strict_by, "");
}

// What is refused for its targetRefs denies nothing to those whom they do not name.
TEST_F(InvalidPolicies, WithTargetRefsAreInForceForTheGatewaysThatTheyNameAlone) {
  const auto gateway = [](const char* name, const char* name_space = "default") {
    return model::Proxy{.type = model::Proxy::Type::kRouter,
                        .name_space = name_space,
                        .labels = {{"gateway.networking.k8s.io/gateway-name", name}}};
  };
  // Who is denied: "b" the sidecar, else gateways by name.
  const auto denied = [&](const std::string& kind, const std::string& spec) {
    Take(Security(kind, "p", spec));
    std::string out;
    if (!HttpRbac(b_, *snapshot_).empty()) out += "b ";
    for (const char* name : {"edge", "inner", "other"}) {
      if (!HttpRbac(gateway(name), *snapshot_).empty()) out += std::string(name) + " ";
    }
    EXPECT_TRUE(HttpRbac(gateway("edge", "elsewhere"), *snapshot_).empty()) << spec;
    EXPECT_EQ(TcpRbac(b_, *snapshot_).empty(), HttpRbac(b_, *snapshot_).empty()) << spec;
    return out;
  };
  const std::string edge = "{group: gateway.networking.k8s.io, kind: Gateway, name: edge}";
  const std::string inner = "{group: gateway.networking.k8s.io, kind: Gateway, name: inner}";
  const std::string service = "{group: '', kind: Service, name: b}";
  for (const char* kind : {"AuthorizationPolicy", "RequestAuthentication"}) {
    EXPECT_EQ(denied(kind, "{targetRef: " + edge + "}"), "edge ") << kind;
    EXPECT_EQ(denied(kind, "{targetRefs: [" + edge + ", " + inner + "]}"), "edge inner ") << kind;
    EXPECT_EQ(denied(kind, "{target_refs: [" + service + ", " + inner + "]}"), "inner ") << kind;
    EXPECT_EQ(denied(kind, "{targetRefs: [" + service + "]}"), "") << kind;
    EXPECT_EQ(denied(kind, "{targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: b}]}"), "") << kind;
    EXPECT_EQ(denied(kind, "{targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: a}]}"), "");
    EXPECT_EQ(denied(kind, "{targetRefs: edge}"), "edge inner other ") << "illegible: closed for whom it may name";
    EXPECT_EQ(denied(kind, "{selector: {matchLabels: {app: b}}, targetRefs: [" + edge + "]}"), "b edge ") << kind;
  }
  EXPECT_EQ(denied("RequestAuthentication", "{}"), "b edge inner other ");
}

TEST_F(InvalidPolicies, InTheRootNamespaceWithTargetRefsAreForItsOwnGateways) {
  Take(
      "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: istio-system}\n"
      "spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]}\n");
  model::Proxy gateway{.type = model::Proxy::Type::kRouter,
                       .name_space = "default",
                       .labels = {{"gateway.networking.k8s.io/gateway-name", "edge"}}};
  EXPECT_TRUE(HttpRbac(gateway, *snapshot_).empty());
  EXPECT_TRUE(HttpRbac(b_, *snapshot_).empty());
  gateway.name_space = "istio-system";
  EXPECT_EQ(HttpRbac(gateway, *snapshot_).size(), 1U);
}

TEST_F(InvalidPolicies, AreNotBlamedForAPortThatIsStrictAsWritten) {
  Take(Security("PeerAuthentication", "strict", "{mtls: {mode: STRICT}}"));
  const xds::Listener listener = ListenerOf(b_);
  EXPECT_EQ(InboundOf(listener).other.mode, xds::MtlsMode::kStrict);
  EXPECT_EQ(InboundOf(listener).other.strict_by, "");
}

TEST_F(InvalidPolicies, OfTheSameNameAreToldApartByTheirKind) {
  Take(Security("AuthorizationPolicy", "same", "{rulez: []}") +
       Security("RequestAuthentication", "same", "{jwtRules: [{issuer: i}]}"));
  const auto filters = HttpRbac(b_, *snapshot_);
  ASSERT_EQ(filters.size(), 1U);
  const auto& rules = *std::get<xds::RbacFilter>(filters[0].config).rules;
  EXPECT_EQ(rules.action, xds::RbacRules::Action::kDeny);
  ASSERT_EQ(rules.policies.size(), 2U) << "names are keys of a map on the wire";
  EXPECT_EQ(rules.policies[0].name, "invalid_policy[default/same]");
  EXPECT_EQ(rules.policies[1].name, "invalid_policy[default/same]-kind[RequestAuthentication]");
  EXPECT_EQ(rules.policies[1].permissions[0].kind, xds::Permission::Kind::kAny);
  EXPECT_EQ(rules.policies[1].principals[0].kind, xds::Principal::Kind::kAny);
  EXPECT_EQ(TcpRbac(b_, *snapshot_).at(0).rules->policies.size(), 2U) << "also for what is not HTTP";
}

}  // namespace
}  // namespace plait::control::translate
