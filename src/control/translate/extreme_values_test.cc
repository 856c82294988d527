// Whatever control/model accepts, a proxy accepts: extreme values go through the translators to what plait-proxy
// decodes, unless they were told to be wrong, and then what is left of their object does.
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;

const std::string kMesh = R"(
apiVersion: v1
kind: Service
metadata: {name: a, namespace: default}
spec:
  selector: {app: a}
  ports: [{name: http, port: 80}, {name: tcp, port: 81}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: default}
spec:
  hosts: [out.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
---
)";

template <class T>
void ExpectAccepted(const std::string& what, const std::string& name, const T& value,
                    Outcome<T> (*decode)(std::string_view)) {
  const auto back = decode(xds::Encode(value));
  EXPECT_TRUE(back.has_value()) << what << "\n" << name << ": " << back.error().ToString();
}

// Whether all that a proxy gets is what a proxy takes. Returns how many errors were told.
std::size_t Try(const std::string& yaml) {
  const model::Decoded decoded = model::DecodeText(kMesh + yaml, "test.yaml");
  const model::SnapshotRef snapshot = model::testing::SnapshotOf(
      kMesh + yaml, {RunningPod("a-0", "a", {{"app", "a"}}, "10.244.0.5"), RunningPod("b-0", "b", {}, "10.244.0.6"),
                     RunningPod("g-0", "g", {{"istio", "ingressgateway"}}, "10.244.0.7", "g", "istio-system")});
  using Proxy = model::Proxy;
  for (const Proxy& proxy :
       {Proxy{.id = "a-0.default",
              .name_space = "default",
              .labels = {{"app", "a"}},
              .ips = {*io::IpAddress::Parse("10.244.0.5")}},
        Proxy{.type = Proxy::Type::kRouter, .name_space = "istio-system", .labels = {{"istio", "ingressgateway"}}}}) {
    for (const xds::Listener& listener : Listeners(proxy, *snapshot))
      ExpectAccepted(yaml, listener.name, listener, &xds::DecodeListener);
    for (const std::string& name : RouteNames(proxy, *snapshot))
      ExpectAccepted(yaml, name, *FindRoutes(proxy, *snapshot, name), &xds::DecodeRouteConfiguration);
    for (const std::string& name : ClusterNames(proxy, *snapshot))
      ExpectAccepted(yaml, name, *FindCluster(proxy, *snapshot, name), &xds::DecodeCluster);
    for (const std::string& name : EndpointNames(proxy, *snapshot))
      ExpectAccepted(yaml, name, *FindEndpoints(proxy, *snapshot, name), &xds::DecodeClusterLoadAssignment);
  }
  return static_cast<std::size_t>(std::ranges::count_if(
      decoded.findings, [](const model::Finding& finding) { return finding.severity == model::Severity::kError; }));
}

std::string Object(const std::string& kind, const std::string& spec) {
  return "apiVersion: " + std::string(kind == "AuthorizationPolicy" ? "security" : "networking") +
         ".istio.io/v1\nkind: " + kind + "\nmetadata: {name: x, namespace: default}\nspec: " + spec + "\n";
}

TEST(ExtremeValues, OfDurationsAreAcceptedByProxiesOrTold) {
  std::size_t told = 0;
  for (const std::string value : {"0s", "0.000000001s", "0.001s", "-1s", "9000000000s", "315576000000s"}) {
    for (const std::string field : {"connectTimeout", "dnsRefreshRate", "protocolDetectionTimeout"})
      told +=
          Try("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: \"" +
              field + ": " + value + "\"\n");
    for (const std::string field : {"perTryTimeout", "backoff"})
      told +=
          Try("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: \""
              "defaultHttpRetryPolicy: {attempts: 2, " +
              field + ": " + value + "}\"\n");
    for (const std::string field : {"perTryTimeout", "backoff"})
      told += Try(Object("VirtualService", "{hosts: [a], http: [{retries: {attempts: 2, " + field + ": " + value +
                                               "}, route: [{destination: {host: a}}]}]}"));
    for (const std::string host : {"a", "out.example.com"})
      for (const std::string policy :
           {"connectionPool: {tcp: {connectTimeout: @}}", "connectionPool: {tcp: {idleTimeout: @}}",
            "connectionPool: {tcp: {maxConnectionDuration: @}}", "connectionPool: {tcp: {tcpKeepalive: {time: @}}}",
            "connectionPool: {tcp: {tcpKeepalive: {interval: @}}}", "connectionPool: {http: {idleTimeout: @}}",
            "outlierDetection: {interval: @}", "outlierDetection: {baseEjectionTime: @}",
            "loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: @}}",
            "loadBalancer: {simple: ROUND_ROBIN, warmupDurationSecs: @}",
            "loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: @}}}"}) {
        std::string text = policy;
        text.replace(text.find('@'), 1, value);
        told += Try(Object("DestinationRule", "{host: " + host + ", trafficPolicy: {" + text + "}}"));
      }
  }
  EXPECT_GT(told, 50u);
}

TEST(ExtremeValues, OfNumbersAreAcceptedByProxiesOrTold) {
  std::size_t told = 0;
  for (const std::string value : {"0", "1", "-1", "101", "65536", "8388609", "2147483647", "4294967295"}) {
    for (const std::string policy :
         {"connectionPool: {tcp: {maxConnections: @}}", "connectionPool: {tcp: {tcpKeepalive: {probes: @}}}",
          "connectionPool: {http: {http1MaxPendingRequests: @}}", "connectionPool: {http: {http2MaxRequests: @}}",
          "connectionPool: {http: {maxRequestsPerConnection: @}}", "connectionPool: {http: {maxRetries: @}}",
          "connectionPool: {http: {maxConcurrentStreams: @, h2UpgradePolicy: UPGRADE}}",
          "outlierDetection: {consecutive5xxErrors: @}", "outlierDetection: {consecutiveGatewayErrors: @}",
          "outlierDetection: {maxEjectionPercent: @}", "outlierDetection: {minHealthPercent: @}",
          "loadBalancer: {consistentHash: {useSourceIp: true, minimumRingSize: @}}",
          "loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: @}}}",
          "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: @}}}",
          "loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, minimumPercent: @}}",
          "loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, aggression: @}}", "retryBudget: {percent: @}",
          "retryBudget: {minRetryConcurrency: @}"}) {
      std::string text = policy;
      text.replace(text.find('@'), 1, value);
      told += Try(Object("DestinationRule", "{host: a, trafficPolicy: {" + text + "}}"));
    }
    for (const std::string spec :
         {"{hosts: [x.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: "
          "[{address: 1.2.3.4, weight: @}]}",
          "{hosts: [x.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS, endpoints: "
          "[{address: y.example.com, weight: @}]}",
          "{hosts: [x.example.com], ports: [{number: @, name: http, protocol: HTTP}], resolution: STATIC, endpoints: "
          "[{address: 1.2.3.4}]}",
          "{hosts: [x.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: "
          "[{address: 1.2.3.4, ports: {http: @}}]}",
          "{hosts: [x.example.com], ports: [{number: 80, name: http, protocol: HTTP, targetPort: @}], resolution: "
          "STATIC, endpoints: [{address: 1.2.3.4}]}"}) {
      std::string text = spec;
      text.replace(text.find('@'), 1, value);
      told += Try(Object("ServiceEntry", text));
    }
    told += Try(Object("Gateway", "{selector: {istio: ingressgateway}, servers: [{port: {number: " + value +
                                      ", name: http, protocol: HTTP}, hosts: ['*']}]}"));
    told +=
        Try("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: \""
            "defaultConfig: {concurrency: " +
            value + ", tracing: {sampling: " + value + "}}\"\n");
    told +=
        Try("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: \""
            "defaultHttpRetryPolicy: {attempts: " +
            value + "}\"\n");
  }
  EXPECT_GT(told, 50u);
}

TEST(ExtremeValues, OfTextsAreAcceptedByProxiesOrTold) {
  const std::string long_name(30'000, 'a');
  for (const std::string& value :
       {std::string(), std::string("*"), std::string("**"), std::string("a b"), std::string("{"), std::string("[a"),
        std::string("%"), std::string("%FOO%"), std::string("\\\\1"), long_name, long_name + "*"}) {
    const std::string quoted = "'" + value + "'";
    for (const std::string field : {"accessLogFile", "accessLogFormat", "trustDomain", "rootNamespace"})
      Try("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    " +
          field + ": " + quoted + "\n");
    for (const std::string text : {"trustDomainAliases: [@]", "meshMTLS: {ecdhCurves: [@]}",
                                   "defaultHttpRetryPolicy: {attempts: 1, retryOn: @}"}) {
      std::string whole = text;
      whole.replace(whole.find('@'), 1, quoted);
      Try("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    " +
          whole + "\n");
    }
    for (const std::string policy :
         {"loadBalancer: {consistentHash: {httpHeaderName: @}}",
          "loadBalancer: {consistentHash: {httpCookie: {name: @, ttl: 0s}}}",
          "loadBalancer: {consistentHash: {httpQueryParameterName: @}}", "tls: {mode: SIMPLE, sni: @}",
          "tls: {mode: SIMPLE, caCertificates: @}", "tls: {mode: SIMPLE, subjectAltNames: [@]}",
          "tls: {mode: ISTIO_MUTUAL, subjectAltNames: [@]}",
          "tls: {mode: MUTUAL, clientCertificate: @, privateKey: @}"}) {
      std::string text = policy;
      for (std::size_t at = 0; (at = text.find('@')) != std::string::npos;) text.replace(at, 1, quoted);
      Try(Object("DestinationRule", "{host: a, trafficPolicy: {" + text + "}}"));
    }
    for (const std::string rule :
         {"from: [{source: {principals: [@]}}]", "from: [{source: {namespaces: [@]}}]",
          "from: [{source: {serviceAccounts: [@]}}]", "from: [{source: {trustDomains: [@]}}]",
          "to: [{operation: {hosts: [@]}}]", "to: [{operation: {methods: [@]}}]", "to: [{operation: {paths: [@]}}]",
          "when: [{key: source.principal, values: [@]}]", "when: [{key: source.namespace, values: [@]}]",
          "when: [{key: source.trustDomain, values: [@]}]", "when: [{key: source.serviceAccount, values: [@]}]",
          "when: [{key: connection.sni, values: [@]}]", "when: [{key: 'request.headers[x]', values: [@]}]",
          "when: [{key: 'request.headers[@x]', values: [a]}]"}) {
      std::string text = rule;
      const bool inside = text.find("[@x]") != std::string::npos;
      text.replace(text.find('@'), 1, inside ? value.substr(0, 5) : quoted);
      Try(Object("AuthorizationPolicy", "{action: DENY, rules: [{" + text + "}]}"));
    }
  }
}

}  // namespace
}  // namespace plait::control::translate
