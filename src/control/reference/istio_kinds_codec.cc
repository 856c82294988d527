// Istio's kinds.
#include <mesh/v1alpha1/config.pb.h>
#include <mesh/v1alpha1/network.pb.h>
#include <networking/v1alpha3/destination_rule.pb.h>
#include <networking/v1alpha3/gateway.pb.h>
#include <networking/v1alpha3/service_entry.pb.h>
#include <networking/v1alpha3/virtual_service.pb.h>
#include <security/v1beta1/authorization_policy.pb.h>
#include <security/v1beta1/peer_authentication.pb.h>

#include "control/reference/kinds.h"

namespace plait::control::reference {
namespace {
namespace net = istio::networking::v1alpha3;
namespace sec = istio::security::v1beta1;
namespace mesh = istio::mesh::v1alpha1;
using model::Kind;

std::string Sample(const std::string& group, const std::string& kind, const std::string& spec) {
  return "apiVersion: " + group + "/v1\nkind: " + kind + "\nmetadata: {name: sample}\nspec: " + spec + "\n";
}
std::vector<std::string> Samples(const std::string& group, const std::string& kind,
                                 const std::vector<std::string>& specs) {
  std::vector<std::string> out;
  for (const std::string& spec : specs) out.push_back(Sample(group, kind, spec));
  return out;
}
std::vector<std::string> Networking(const std::string& kind, const std::vector<std::string>& specs) {
  return Samples("networking.istio.io", kind, specs);
}
std::vector<std::string> Security(const std::string& kind, const std::vector<std::string>& specs) {
  return Samples("security.istio.io", kind, specs);
}
// ConfigMap istio with a text in `key`.
std::string MeshSample(const std::string& key, const std::string& text) {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {" + key + ": '" +
         text + "'}\n";
}

KindSubject VirtualServices() {
  const std::string route = "route: [{destination: {host: a}}]";
  const std::string routes = "route: [{destination: {host: a}}, {destination: {host: b}}]";
  return {
      .kind = Kind::kVirtualService,
      .note =
          "An invalid rule is left out and told; the others stay. Of several VirtualServices for a host on the "
          "mesh gateway the oldest is in force; on other gateways their rules are joined.",
      .subject = {
          .type = net::VirtualService::descriptor(),
          .samples = Networking(
              "VirtualService",
              {"{hosts: [a], http: [{" + route + "}]}", "{hosts: [a], http: [{" + routes + "}]}",
               "{hosts: [a], http: [{" + route + ", retries: {attempts: 2}}]}",
               "{hosts: [a], http: [{redirect: {uri: /b}}]}", "{hosts: [a], http: [{redirect: {authority: b}}]}",
               "{hosts: [a], http: [{directResponse: {status: 200}}]}", "{hosts: [a], http: [{delegate: {name: b}}]}",
               "{hosts: [a], http: [{" + route + ", match: [{uri: {prefix: /a}}]}]}",
               "{hosts: [a], http: [{" + route + ", mirror: {host: b}, mirrors: [{destination: {host: b}}]}]}",
               "{hosts: [a], http: [{" + route + ", rewrite: {uriRegexRewrite: {match: a, rewrite: b}}}]}",
               "{hosts: [a], http: [{" + route + ", fault: {delay: {fixedDelay: 1s}, abort: {httpStatus: 500}}}]}",
               "{hosts: [a], tls: [{match: [{sniHosts: [a]}], " + route + "}]}",
               "{hosts: [a], tls: [{match: [{sniHosts: [a]}], " + routes + "}]}",
               "{hosts: [a], tcp: [{match: [{port: 1}], " + route + "}]}", "{hosts: [a], tcp: [{" + routes + "}]}"}),
          .root = "spec",
          .words = {{"http[].redirect.redirectCode", {"301", "302", "303", "307", "308"}}}}};
}

// One that changes needs another that does.
const Field kShares{.effect = Effect::kHonoured, .note = "percents, which add up to 100"};

KindSubject DestinationRules() {
  const auto policy = [](const std::string& text) { return "{host: a, trafficPolicy: {" + text + "}}"; };
  const std::string hash = "loadBalancer: {consistentHash: {httpHeaderName: a}}";
  const std::string port = "portLevelSettings: [{port: {number: 1}, " + hash + "}]";
  const std::string bare_port = "portLevelSettings: [{port: {number: 1}}]";
  return {
      .kind = Kind::kDestinationRule,
      .note =
          "Rules for the same host in one namespace with the same exportTo are one rule: the oldest gives the "
          "policy, all give subsets; one that is exported to more namespaces than an older one is also part of "
          "that one. A rule of the client's namespace comes before one of the service's, and that before one of "
          "the root namespace. Where it asks for TLS that cannot be (MUTUAL without files, an unknown mode), nothing "
          "is sent: 503, with the rule in the details. Limits count for a proxy as a whole, but for maxConnections: "
          "each of its workers may have one HTTP/2 connection to an endpoint, as in Envoy.",
      .subject = {
          .type = net::DestinationRule::descriptor(),
          .samples = Networking(
              "DestinationRule",
              {"{host: a, subsets: [{name: v1, trafficPolicy: {" + bare_port + "}}], trafficPolicy: {" + bare_port +
                   "}}",
               "{host: a, subsets: [{name: v1, trafficPolicy: {" + hash + ", " + port + "}}], trafficPolicy: {" + hash +
                   ", " + port + "}}",
               policy("loadBalancer: {consistentHash: {httpCookie: {name: a}}}"),
               policy("loadBalancer: {consistentHash: {httpCookie: {name: a, attributes: [{name: b}]}}}"),
               policy("outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: r, to: s}]}}"),
               policy("outlierDetection: {}, loadBalancer: {localityLbSetting: {failoverPriority: [a]}}"),
               policy("loadBalancer: {localityLbSetting: {distribute: [{from: r, to: {s: 100}}]}}"),
               "{host: a, trafficPolicy: {tls: {mode: SIMPLE}}, subsets: [{name: v1}]}",
               policy("tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k}"),
               "{host: a, subsets: [{name: v1}]}"}),
          .root = "spec",
          .told = {
              {"trafficPolicy.loadBalancer.localityLbSetting.distribute[].to.KEY", kShares},
              {"trafficPolicy.portLevelSettings[].loadBalancer",
               {.effect = Effect::kHonoured, .note = "as trafficPolicy.loadBalancer"}},
              {"trafficPolicy.portLevelSettings[].connectionPool",
               {.effect = Effect::kHonoured, .note = "as trafficPolicy.connectionPool"}},
              {"trafficPolicy.portLevelSettings[].outlierDetection",
               {.effect = Effect::kHonoured, .note = "as trafficPolicy.outlierDetection"}},
              {"trafficPolicy.portLevelSettings[].tls", {.effect = Effect::kHonoured, .note = "as trafficPolicy.tls"}},
              {"subsets[].trafficPolicy", {.effect = Effect::kHonoured, .note = "as trafficPolicy"}}}}};
}

KindSubject Gateways() {
  return {
      .kind = Kind::kGateway,
      .note =
          "An invalid server is left out and told. `plait up` makes the gateway's own Deployment when none is "
          "in the directory.",
      .subject = {
          .type = net::Gateway::descriptor(),
          .samples = Networking(
              "Gateway", {"{selector: {a: b}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: [a.b]}]}",
                          "{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.b], "
                          "tls: {mode: SIMPLE, credentialName: c, caCertificates: /a}}]}",
                          "{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.b], "
                          "tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k}}]}",
                          "{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.b], "
                          "tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /a}}]}"}),
          .root = "spec",
          .words = {{"servers[].port.protocol",
                     {"HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB", "TLS", "TCP", "MONGO", "MYSQL", "REDIS", "UDP"}},
                    {"servers[].tls.cipherSuites[]", {"ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA"}}}}};
}

KindSubject ServiceEntries() {
  const std::string ports = "ports: [{number: 80, name: http}]";
  return {
      .kind = Kind::kServiceEntry,
      .subject = {
          .type = net::ServiceEntry::descriptor(),
          .samples = Networking(
              "ServiceEntry", {"{hosts: [a.com], resolution: STATIC, " + ports + ", endpoints: [{address: 10.0.0.1}]}",
                               "{hosts: [a.com], resolution: STATIC, " + ports +
                                   ", endpoints: [{address: 10.0.0.1, ports: {http: 8080}}]}",
                               "{hosts: [a.com], resolution: DNS, " + ports + "}",
                               "{hosts: [a.com], resolution: STATIC, " + ports + "}",
                               "{hosts: [a.com], resolution: NONE, " + ports + "}"}),
          .root = "spec",
          .words = {{"ports[].protocol",
                     {"HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB", "TLS", "TCP", "MONGO", "MYSQL", "REDIS", "UDP"}}}}};
}

KindSubject PeerAuthentications() {
  return {
      .kind = Kind::kPeerAuthentication,
      .note =
          "What is not understood makes it invalid, and the workloads in its scope STRICT. `plait up` sets STRICT "
          "for the mesh if none is given; Istio's default is PERMISSIVE.",
      .subject = {.type = sec::PeerAuthentication::descriptor(),
                  .samples = Security("PeerAuthentication",
                                      {"{}", "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mode: STRICT}}}"}),
                  .root = "spec"}};
}

KindSubject AuthorizationPolicies() {
  return {
      .kind = Kind::kAuthorizationPolicy,
      .note =
          "What is not understood makes it invalid, and the workloads in its scope deny everything. The annotation "
          "`istio.io/dry-run: \"true\"` is honoured.",
      .subject = {
          .type = sec::AuthorizationPolicy::descriptor(),
          .samples =
              Security("AuthorizationPolicy", {"{rules: [{}]}",
                                               "{rules: [{from: [{source: {namespaces: [a]}}], to: [{operation: "
                                               "{methods: [GET]}}], when: [{key: source.namespace, values: [a]}]}]}",
                                               "{rules: [{from: [{source: {ipBlocks: [10.0.0.1]}}], to: [{operation: "
                                               "{ports: ['1']}}], when: [{key: destination.port, values: ['1']}]}]}",
                                               "{rules: [{when: [{key: source.ip, values: [10.0.0.1]}]}]}"}),
          .root = "spec",
          .words = {{"rules[].when[].key",
                     {"request.headers[x-name]", "source.ip", "remote.ip", "source.namespace", "source.principal",
                      "source.serviceAccount", "source.trustDomain", "destination.ip", "destination.port",
                      "connection.sni", "request.auth.principal", "request.auth.audiences", "request.auth.presenter",
                      "request.auth.claims[x]", "experimental.envoy.filters.network.mysql_proxy[x]"}}}}};
}

KindSubject MeshConfigs() {
  return {.kind = Kind::kConfigMap,
          .name = "MeshConfig",
          .note = "The key `mesh` of ConfigMap `istio` in the root namespace (`istio-system`).",
          .subject = {.type = mesh::MeshConfig::descriptor(),
                      .samples = {MeshSample("mesh", "{}"), MeshSample("mesh", "{accessLogFile: /dev/stdout}"),
                                  MeshSample("mesh", "{defaultHttpRetryPolicy: {attempts: 2}}"),
                                  MeshSample("mesh", "{localityLbSetting: {failover: [{from: r, to: s}]}}"),
                                  MeshSample("mesh", "{localityLbSetting: {distribute: [{from: r, to: {s: 100}}]}}")},
                      .root = "data.mesh",
                      .embedded = true,
                      .words = {{"meshMTLS.ecdhCurves[]", {"X25519", "P-256", "P-384", "X25519MLKEM768"}}},
                      .told = {{"localityLbSetting.distribute[].to.KEY", kShares}}}};
}

KindSubject MeshNetworks() {
  return {.kind = Kind::kConfigMap,
          .name = "MeshNetworks",
          .note = "The key `meshNetworks` of the same ConfigMap.",
          .subject = {.type = mesh::MeshNetworks::descriptor(),
                      .samples = {MeshSample("meshNetworks",
                                             "{networks: {key: {endpoints: [{fromCidr: 10.0.0.0/8}], gateways: "
                                             "[{address: 10.0.0.1, port: 1}]}}}"),
                                  MeshSample("meshNetworks",
                                             "{networks: {key: {endpoints: [{fromRegistry: a}], gateways: "
                                             "[{registryServiceName: a, port: 1}]}}}"),
                                  MeshSample("meshNetworks", "{}")},
                      .root = "data.meshNetworks",
                      .embedded = true}};
}

}  // namespace

std::vector<KindSubject> IstioKinds() {
  return {
      VirtualServices(),
      DestinationRules(),
      Gateways(),
      ServiceEntries(),
      PeerAuthentications(),
      AuthorizationPolicies(),
      {.kind = Kind::kRequestAuthentication,
       .note = "Refused: the workloads in its scope accept no request. Nothing is honoured that would need a token."},
      MeshConfigs(),
      MeshNetworks()};
}

}  // namespace plait::control::reference
