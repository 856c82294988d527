// Values that a proxy refuses a whole listener or cluster for are told with their place, and the rest of their object
// stays in force.
#include <gtest/gtest.h>

#include "control/model/testing_objects.h"

namespace plait::control::model {
namespace {
using testing::Said;

Decoded Read(const std::string& yaml) { return DecodeText(yaml, "f.yaml"); }

const MeshConfig& MeshOf(const Decoded& decoded) { return *std::get<ConfigMap>(*decoded.objects.at(0)).mesh; }

// Line 6 is the first of `text`.
Decoded ReadMesh(const std::string& text) {
  return Read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n" +
              text + "    trustDomain: td\n");
}

// `policy` stands in line 7.
Decoded ReadRule(const std::string& policy) {
  return Read(
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: default}\nspec:\n"
      "  host: reviews\n  trafficPolicy:\n    " +
      policy + "\n    tls: {mode: ISTIO_MUTUAL}\n  subsets: [{name: v1, labels: {version: v1}}]\n");
}

struct Refused {
  const char* text;
  const char* said;
};

TEST(RefusedValues, OfMeshConfigAreToldAndTheRestStays) {
  for (const Refused& c : {
           Refused{"accessLogFormat: '%RESPONSE_COD%'",
                   "f.yaml:6:22: ConfigMap istio-system/istio: mesh configuration: accessLogFormat: format operator "
                   "'%RESPONSE_COD%': not known (see Envoy's access log operators"},
           Refused{"accessLogFormat: '%START_TIME(%s) x'", "6:22: ConfigMap istio-system/istio: mesh configuration: "},
           Refused{"accessLogFormat: '100% x'", "the closing '%' is missing"},
           Refused{"accessLogFile: logs/x.log",
                   "6:20: ConfigMap istio-system/istio: mesh configuration: accessLogFile"},
           Refused{"connectTimeout: 0s", "6:21: ConfigMap istio-system/istio: mesh configuration: connectTimeout"},
           Refused{"dnsRefreshRate: 0.001s", "dnsRefreshRate must be above 1 ms"},
           Refused{"meshMTLS: {ecdhCurves: [X25519, FOO]}",
                   "6:37: ConfigMap istio-system/istio: mesh configuration: "
                   "\"FOO\" is no key exchange group"},
           Refused{"meshMTLS: {ecdhCurves: ['']}", "\"\" is no key exchange group"},
           Refused{"defaultConfig: {concurrency: 99999}",
                   "6:34: ConfigMap istio-system/istio: mesh configuration: "
                   "concurrency 99999 is outside 0..64"},
           Refused{"defaultConfig: {concurrency: -1}", "concurrency -1 is outside 0..64"},
           Refused{"defaultConfig: {tracing: {sampling: 101}}", "sampling"},
           Refused{"defaultHttpRetryPolicy: {attempts: 2, backoff: 0s}", "defaultHttpRetryPolicy.backoff"},
           Refused{"defaultHttpRetryPolicy: {attempts: -2}", "defaultHttpRetryPolicy.attempts"},
           Refused{"defaultHttpRetryPolicy: {perTryTimeout: -2s}", "defaultHttpRetryPolicy.perTryTimeout"},
       }) {
    const Decoded read = ReadMesh("    " + std::string(c.text) + "\n");
    EXPECT_NE(Said(read.findings).find(c.said), std::string::npos) << c.text << "\n" << Said(read.findings);
    MeshConfig expected{.trust_domain = "td"};
    ASSERT_TRUE(std::get<ConfigMap>(*read.objects.at(0)).mesh) << c.text;
    if (MeshOf(read).default_retry)
      expected.default_retry = HttpRetry{.attempts = MeshOf(read).default_retry->attempts};
    EXPECT_EQ(MeshOf(read), expected) << c.text << ": the rest, and the default in its place";
  }
}

TEST(RefusedValues, OfAFormatInJsonLeaveIstiosInForce) {
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {R"({"a": {"b": ["%FOO%"]}})", "format operator '%FOO%': not known (see Envoy's access log operators"},
           {R"({"a": )", "accessLogFormat: is no JSON object: Unexpected end of string. Expected a value. (e.g. {"},
           {"[%RESPONSE_CODE%]", "accessLogFormat: is no JSON object (e.g. {"},
           {R"("a")", "is no JSON object"},
           {R"({"a": )" + std::string(500'000, '[') + std::string(500'000, ']') + "}",
            "nested more than 32 levels deep"},
       }) {
    const Decoded read = ReadMesh("    accessLogEncoding: JSON\n    accessLogFormat: '" + text + "'\n");
    EXPECT_NE(
        Said(read.findings).find("f.yaml:7:22: ConfigMap istio-system/istio: mesh configuration: accessLogFormat"),
        std::string::npos)
        << Said(read.findings);
    EXPECT_NE(Said(read.findings).find(said), std::string::npos) << Said(read.findings);
    EXPECT_EQ(MeshOf(read), (MeshConfig{.trust_domain = "td", .access_log_json = true})) << text;
  }
}

TEST(RefusedValues, OfMeshConfigAreFew) {
  for (const char* text : {"accessLogFile: /dev/stderr", "accessLogFile: /var/log/x.log", "accessLogFormat: '%%'",
                           "accessLogFormat: '[%START_TIME(%s)%] %REQ(X-A?:PATH):20% 100%%'", "connectTimeout: 0.001s",
                           "meshMTLS: {ecdhCurves: [X25519MLKEM768, P-256]}", "defaultConfig: {concurrency: 64}",
                           "defaultConfig: {concurrency: 0}", "defaultConfig: {tracing: {sampling: 100}}"}) {
    const Decoded read = ReadMesh("    " + std::string(text) + "\n");
    EXPECT_EQ(Said(read.findings), "") << text;
  }
}

TEST(RefusedValues, OfDestinationRulesAreToldAndTheRestStays) {
  const std::string hash = "loadBalancer: {consistentHash: {useSourceIp: true, ";
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {hash + "maglev: {tableSize: 18446744073709551615}}}",
            "f.yaml:7:76: DestinationRule default/r: the table size 18446744073709551615 "},
           {hash + "maglev: {tableSize: 5000012}}}", "the table size 5000012 "},
           {hash + "maglev: {tableSize: 65536}}}", "the table size 65536 is not a prime"},
           {hash + "minimumRingSize: 999999999}}", "f.yaml:7:73: DestinationRule default/r: the ring size 999999999 "},
           {hash + "ringHash: {minimumRingSize: 8388609}}}", "the ring size 8388609 "},
           {"loadBalancer: {consistentHash: {httpCookie: {name: a, ttl: -1s}}}", "is negative"},
           {"loadBalancer: {consistentHash: {httpCookie: {name: '', ttl: 1s}}}", "no name"},
           {"loadBalancer: {consistentHash: {httpCookie: {name: a, attributes: [{name: '', value: x}]}}}",
            "an attribute has no name"},
           {"loadBalancer: {consistentHash: {httpHeaderName: ''}}", "no name"},
           {"loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 0s}}",
            "7:60: DestinationRule default/r: duration must be above 0"},
           {"loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, aggression: 0}}", "aggression"},
           {"connectionPool: {tcp: {connectTimeout: 0s}}", "f.yaml:7:44: DestinationRule default/r: "},
           {"connectionPool: {tcp: {maxConnectionDuration: 0s}}", "maxConnectionDuration"},
           {"connectionPool: {tcp: {tcpKeepalive: {time: 0s}}}", "tcpKeepalive.time"},
           {"connectionPool: {tcp: {tcpKeepalive: {time: 9000000000s}}}", "tcpKeepalive.time"},
           {"connectionPool: {tcp: {tcpKeepalive: {interval: -1s}}}", "tcpKeepalive.interval"},
           {"connectionPool: {tcp: {tcpKeepalive: {probes: 128}}}", "128"},
           {"outlierDetection: {interval: 0s}", "interval"},
           {"outlierDetection: {baseEjectionTime: 0s}", "baseEjectionTime"},
           {"outlierDetection: {maxEjectionPercent: 101}", "percentage"},
       }) {
    const Decoded read = ReadRule(text);
    ASSERT_EQ(read.findings.size(), 1u + (text.find("warmup") != std::string::npos ? 1u : 0u)) << text << "\n"
                                                                                               << Said(read.findings);
    EXPECT_NE(Said(read.findings).find(said), std::string::npos) << text << "\n" << Said(read.findings);
    ASSERT_EQ(read.objects.size(), 1u) << text;
    const auto& rule = std::get<DestinationRule>(*read.objects[0]);
    ASSERT_TRUE(rule.policy.tls) << text;
    EXPECT_EQ(rule.policy.tls->mode, ClientTls::Mode::kIstioMutual) << text;
    EXPECT_NE(rule.FindSubset("v1"), nullptr) << text;
  }
}

TEST(RefusedValues, OfDestinationRulesLeaveTheOtherFieldsOfAConnectionPoolInForce) {
  const Decoded read =
      ReadRule("connectionPool: {tcp: {maxConnections: 7, connectTimeout: 0s}, http: {maxRetries: 3}}");
  const auto& pool = std::get<DestinationRule>(*read.objects.at(0)).policy.connection_pool;
  ASSERT_TRUE(pool);
  EXPECT_EQ(*pool, (ConnectionPool{.max_connections = 7, .max_retries = 3}));
}

TEST(RefusedValues, APathTemplateThatIsLargerThanAProxyTakesMakesItsPolicyInvalid) {
  const auto read = [](int segments) {
    std::string path;
    for (int i = 0; i < segments; ++i) path += "/{*}";
    return Read(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: default}\nspec:\n"
        "  action: DENY\n  rules:\n  - to: [{operation: {paths: ['" +
        path + "']}}]\n");
  };
  EXPECT_FALSE(std::get<AuthorizationPolicy>(*read(20).objects.at(0)).invalid);
  const Decoded large = read(2000);
  const auto& policy = std::get<AuthorizationPolicy>(*large.objects.at(0));
  EXPECT_TRUE(policy.invalid);
  EXPECT_NE(Said(large.findings).find("f.yaml:7:31: AuthorizationPolicy default/p: the path template \"/{*}/{*}"),
            std::string::npos)
      << Said(large.findings);
  EXPECT_NE(Said(large.findings).find("is too large"), std::string::npos) << Said(large.findings);
}

TEST(RefusedValues, ANameThatIsLongerThanAProxyTakesMakesItsPolicyInvalid) {
  for (const char* field : {"namespaces", "serviceAccounts"}) {
    const Decoded read = Read(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: default}\nspec:\n"
        "  action: DENY\n  rules:\n  - from: [{source: {" +
        std::string(field) + ": ['" + std::string(30'000, 'a') + "']}}]\n");
    EXPECT_TRUE(std::get<AuthorizationPolicy>(*read.objects.at(0)).invalid) << field;
  }
}

}  // namespace
}  // namespace plait::control::model
