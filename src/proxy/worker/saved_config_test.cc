#include "proxy/worker/saved_config.h"

#include <gtest/gtest.h>

#include "core/base/encoding.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"

namespace plait::proxy::worker {
namespace {

std::string File(const std::string& resources) {
  return R"({"node": {"id": "sidecar~10.244.0.2~web-0.default~default.svc.cluster.local"}, "resources": [)" +
         resources + "]}";
}

template <class T>
std::string Entry(std::string_view type, const std::string& name, const T& value) {
  return R"({"type": ")" + std::string(type) + R"(", "name": ")" + name + R"(", "aliases": [], "value": ")" +
         Base64Encode(AsBytes(xds::Encode(value))) + "\"}";
}

TEST(SavedConfig, SaysWhereAFileIsWrong) {
  io::Loop loop;
  for (const auto& [text, part] :
       {std::pair<std::string, std::string>{"", "f.json"},
        {"[1]", "node and resources are missing"},
        {R"({"node": {}, "resources": 3})", "node and resources are missing"},
        {File(R"({"type": "x", "name": "a", "value": ""})"), "resource a: unknown type x"},
        {File(R"({"type": "x", "name": "a", "value": "?"})"), "value is not base64"},
        {File(R"({"type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "a", "value": "////"})"),
         "f.json:1:"}}) {
    const auto saved = SavedConfig::Parse(loop, text, "f.json");
    ASSERT_FALSE(saved) << text;
    EXPECT_NE(saved.error().ToString().find(part), std::string::npos) << saved.error().ToString();
  }
}

TEST(SavedConfig, AnswersWithoutListenersThatNothingTakesThePort) {
  io::Loop loop;
  xds::Service service;
  service.name = "reviews";
  service.name_space = "default";
  service.hostname = "reviews.default.svc.cluster.local";
  service.addresses.push_back({"", io::Cidr::Parse("10.96.0.7/32").value()});
  service.ports.push_back({{9080, 9080, xds::AppProtocol::kUnknown}, "http", xds::DeclaredProtocol::kHttp});
  const auto saved =
      SavedConfig::Parse(loop, File(Entry(xds::type_url::kAddress, service.Key(), xds::Address{service})), "f.json");
  ASSERT_TRUE(saved) << saved.error().ToString();
  const auto answer = (*saved)->Answer({.to = "reviews"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no listener takes port 9080") << "the name and its port were found";
}

// A gateway with a port for HTTP and one for TLS, each at both families.
std::string GatewayFile(const std::string& secrets) {
  const auto listener = [](std::uint16_t port) {
    xds::Listener out;
    out.name = std::to_string(port);
    for (const char* ip : {"0.0.0.0", "::"})
      out.addresses.push_back(
          {.address = {.ip = io::IpAddress::Parse(ip).value(), .port = Port{port}, .unix_path = {}}});
    return out;
  };
  const auto chain = [](const char* server_name) {
    xds::FilterChain out;
    if (server_name != nullptr) out.match.server_names = {server_name};
    out.filters.push_back({"tcp", xds::TcpProxy{.stat_prefix = "t", .clusters = {{.name = "c", .weight = 1}}}});
    return out;
  };
  xds::Listener http = listener(80);
  http.filter_chains = {chain(nullptr)};
  xds::Listener tls = listener(8443);
  tls.listener_filters.emplace_back();  // reads the ClientHello
  tls.filter_chains = {chain("site.example"), chain("pass.example")};
  tls.filter_chains[0].tls.emplace().common.certificate_secrets = {{.name = "kubernetes://site"}};
  return R"({"node": {"id": "router~10.244.0.2~edge-0.istio-system~istio-system.svc.cluster.local"}, "secrets": [)" +
         secrets + R"(], "resources": [)" + Entry(xds::type_url::kListener, http.name, http) + "," +
         Entry(xds::type_url::kListener, tls.name, tls) + "]}";
}

TEST(SavedConfig, TakesTheHostForTheServerNameWhereAGatewaysPortTakesTlsOnly) {
  io::Loop loop;
  const auto saved = SavedConfig::Parse(loop, GatewayFile("\"kubernetes://site\""), "f.json");
  ASSERT_TRUE(saved) << saved.error().ToString();
  const auto answer = [&](admin::ExplainQuery query) {
    const Outcome<std::string> text = (*saved)->Answer(query);
    return text ? *text : text.error().ToString();
  };
  const auto says = [&](const admin::ExplainQuery& query, std::string_view part) {
    const std::string text = answer(query);
    return text.find(part) != std::string::npos ? "" : text;
  };
  EXPECT_EQ(says({.to = "site.example", .port = 8443}, "server name site.example, that of the host that is asked"), "");
  EXPECT_EQ(says({.to = "pass.example", .port = 8443}, "is passed on as it is"), "");
  EXPECT_EQ(says({.to = "site.example", .port = 8443, .sni = "pass.example"}, "is passed on as it is"), "");
  EXPECT_EQ(says({.to = "else.example", .port = 8443},
                 "takes no TLS with server name else.example; it takes TLS for "
                 "pass.example, site.example"),
            "");
  EXPECT_EQ(says({.inbound = true, .port = 8443, .source = "10.0.0.1"}, "takes no connection without TLS"), "")
      << "what arrives is known";
  EXPECT_EQ(says({.to = "site.example", .port = 80}, "TLS"), answer({.to = "site.example", .port = 80}));
  EXPECT_EQ(says({.to = "site.example", .port = 81}, "it listens on 80, 8443"), "");
}

// Of TLS that a client begins for pass.example.
std::string AnswerToCluster(const xds::Cluster& cluster) {
  io::Loop loop;
  std::string file = GatewayFile("");
  file.insert(file.size() - 2, "," + Entry(xds::type_url::kCluster, cluster.name, cluster));
  const auto saved = SavedConfig::Parse(loop, file, "f.json");
  if (!saved) return saved.error().ToString();
  const Outcome<std::string> answer = (*saved)->Answer({.tcp = true, .to = "pass.example", .port = 8443});
  return answer ? *answer : answer.error().ToString();
}

TEST(SavedConfig, DoesNotKnowWhetherANameThatIsAnEndpointHasAnAddress) {
  xds::Cluster cluster;
  cluster.name = cluster.load_assignment.cluster_name = "c";
  for (const auto type : {xds::Cluster::Type::kStrictDns, xds::Cluster::Type::kLogicalDns}) {
    cluster.type = type;
    cluster.load_assignment.localities.clear();
    xds::Endpoint& endpoint = cluster.load_assignment.localities.emplace_back().endpoints.emplace_back();
    endpoint.dns_name = "api.example";
    endpoint.dns_port = 443;
    const std::string answer = AnswerToCluster(cluster);
    EXPECT_NE(
        answer.find(R"("step":"endpoint","passes":null,"text":"cluster c, for example api.example port 443; DNS)"),
        std::string::npos)
        << answer;
    EXPECT_NE(answer.find(R"("forwarded":true)"), std::string::npos) << "with an address it would be";
    EXPECT_EQ(answer.find("0.0.0.0"), std::string::npos) << answer;
  }
  cluster.type = xds::Cluster::Type::kStrictDns;
  cluster.load_assignment.localities.clear();
  EXPECT_NE(AnswerToCluster(cluster).find("no healthy endpoint"), std::string::npos) << "there is no name";
}

TEST(SavedConfig, SaysThatAGatewayDoesNotHaveTheSecretOfItsPort) {
  io::Loop loop;
  const auto saved = SavedConfig::Parse(loop, GatewayFile(""), "f.json");
  ASSERT_TRUE(saved) << saved.error().ToString();
  const Outcome<std::string> answer = (*saved)->Answer({.to = "site.example", .port = 8443});
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_NE(answer->find("ends TLS with the Secret site, which this gateway does not have"), std::string::npos)
      << *answer;
  EXPECT_NE(answer->find("no_certificate_yet"), std::string::npos) << *answer;
}

}  // namespace
}  // namespace plait::proxy::worker
