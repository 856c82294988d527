// Which gateway the host's ports lead to.
#include <gtest/gtest.h>

#include "control/model/decode.h"
#include "control/source/pod_template.h"

namespace plait::control::source {
namespace {

PodSets Render(const std::string& yaml) { return RenderPodSets(model::DecodeText(yaml, "f.yaml").objects, {}, {}); }

// A Deployment of a gateway with label istio=`name` and its Gateway for these servers.
std::string OneGateway(const std::string& name, const std::string& servers) {
  return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name +
         ", namespace: edge}\nspec: {selector: {matchLabels: {istio: " + name +
         "}}, template: {metadata: {labels: {istio: " + name +
         "}, annotations: {inject.istio.io/templates: gateway}}, spec: {containers: [{name: istio-proxy, image: "
         "auto}]}}}\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: " +
         name + ", namespace: edge}\nspec: {selector: {istio: " + name + "}, servers: [" + servers + "]}\n";
}
std::string ServerOf(int port, const std::string& protocol) {
  const std::string number = std::to_string(port);
  return "{port: {number: " + number + ", name: p" + number + ", protocol: " + protocol + "}, hosts: ['*']}";
}
std::string ServiceOf(const std::string& name, const std::string& type) {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: edge}\nspec: {type: " + type +
         ", selector: {istio: " + name + "}, ports: [{name: http, port: 80}]}\n";
}

// As of Istio's demo profile.
TEST(GatewayPorts, OfTheHostAreTheIngressGatewaysWhereAnEgressGatewayServesThemToo) {
  const PodSets sets = Render(OneGateway("egressgateway", ServerOf(80, "HTTP") + ", " + ServerOf(8081, "HTTP")) +
                              ServiceOf("egressgateway", "ClusterIP") +
                              OneGateway("ingressgateway", ServerOf(80, "HTTP") + ", " + ServerOf(31400, "TCP")) +
                              ServiceOf("ingressgateway", "LoadBalancer"));
  EXPECT_EQ(sets.gateway_ports,
            (std::vector<GatewayPort>{
                {.port = 80, .gateways = {"edge/ingressgateway", "edge/egressgateway"}, .scheme = "http"},
                {.port = 8081, .gateways = {"edge/egressgateway"}, .on_host = false, .scheme = "http"},
                {.port = 31400, .gateways = {"edge/ingressgateway"}}}));
  ASSERT_EQ(sets.findings.size(), 1U);
  EXPECT_EQ(sets.findings[0].severity, model::Severity::kInfo);
  EXPECT_NE(sets.findings[0].ToString().find("Gateway edge/egressgateway: edge/egressgateway is behind a Service of "
                                             "type ClusterIP, so its ports are for workloads and not on this host"),
            std::string::npos)
      << sets.findings[0].ToString();
}

TEST(GatewayPorts, ThatTwoGatewaysServeAreTheFirstOnesAndTheOtherIsTold) {
  const PodSets sets = Render(OneGateway("b", ServerOf(80, "HTTP")) + OneGateway("a", ServerOf(80, "TCP")));
  EXPECT_EQ(sets.gateway_ports, (std::vector<GatewayPort>{{.port = 80, .gateways = {"edge/a", "edge/b"}}}));
  ASSERT_EQ(sets.findings.size(), 1U);
  EXPECT_NE(
      sets.findings[0].ToString().find("Gateway edge/b: port 80 of this host leads to edge/a, not to edge/b, which "
                                       "serves it to workloads alone (give the server a port that no other"),
      std::string::npos)
      << sets.findings[0].ToString();
}

}  // namespace
}  // namespace plait::control::source
