#include "cli/config_dump.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/config_tables.h"
#include "cli/json_access.h"
#include "cli/proxy_log.h"
#include "core/base/encoding.h"
#include "core/tls/test_pki.h"

namespace plait::cli {
namespace {

const Json& Dump() {
  static const Json kDump = Json::parse(R"({"configs":[
{"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
 "static_clusters":[{"cluster":{"name":"xds-grpc","type":"STATIC"}}],
 "dynamic_active_clusters":[{"cluster":{"name":"outbound|9080|v1|reviews.default.svc.cluster.local","type":"EDS",
  "metadata":{"filter_metadata":{"istio":{"config":"/apis/networking.istio.io/v1/namespaces/default/destination-rule/reviews"}}}}}]},
{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","dynamic_listeners":[{"name":"l","active_state":{"listener":
 {"name":"0.0.0.0_80","address":{"socket_address":{"address":"0.0.0.0","port_value":80}},"filter_chains":[
  {"filter_chain_match":{"transport_protocol":"raw_buffer","application_protocols":["http/1.1","h2c"]},"filters":[{"typed_config":
   {"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","rds":{"route_config_name":"80"}}}]}],
  "default_filter_chain":{"filters":[{"typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy","cluster":"PassthroughCluster"}}]}}}}]},
{"@type":"type.googleapis.com/envoy.admin.v3.RoutesConfigDump","dynamic_route_configs":[{"route_config":{"name":"9080","virtual_hosts":[
 {"name":"reviews:9080","domains":["reviews","reviews.default","reviews.default.svc"],"routes":[{"match":{"prefix":"/"}},{"match":{"path":"/x"},"direct_response":{"status":404}}]}]}}]},
{"@type":"type.googleapis.com/envoy.admin.v3.EndpointsConfigDump","dynamic_endpoint_configs":[{"endpoint_config":{"cluster_name":"c","endpoints":[
 {"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.244.0.5","port_value":9080}}}},
  {"endpoint":{"address":{"socket_address":{"address":"10.244.0.6","port_value":9080}}},"health_status":"UNHEALTHY"}]}]}}]},
{"@type":"type.googleapis.com/envoy.admin.v3.SecretsConfigDump","dynamic_active_secrets":[{"name":"default","secret":{"tls_certificate":{}}}]}
]})");
  return kDump;
}

std::vector<std::vector<std::string>> Rows(const std::string& what) {
  return ConfigTable(what, ResourcesOf(Dump(), what)).rows;
}

TEST(ConfigDump, SplitsTheNamesOfClusters) {
  const auto rows = Rows("cluster");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"reviews.default.svc.cluster.local", "9080", "v1", "outbound", "EDS",
                                               "reviews.default", "-", "no"}));
  EXPECT_EQ(rows[1][0], "xds-grpc");
}

TEST(ConfigDump, SaysWhereEachChainLeads) {
  const auto rows = Rows("listener");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0],
            (std::vector<std::string>{"0.0.0.0", "80", "ALL", "Cluster: PassthroughCluster", "0.0.0.0_80", "-"}));
  EXPECT_EQ(rows[1], (std::vector<std::string>{"0.0.0.0", "80", "Trans: raw_buffer; App: http/1.1,h2c", "Route: 80",
                                               "0.0.0.0_80", "-"}));
}

TEST(ConfigDump, KeepsRoutesInTheirOrder) {
  const auto rows = Rows("route");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"9080", "reviews:9080", "reviews, reviews.default + 1 more...", "/*", "",
                                               "-", "-"}));
  EXPECT_EQ(rows[1][3], "/x");
  EXPECT_EQ(rows[1][4], "404");
}

TEST(ConfigDump, ShowsEndpointsWithHealth) {
  const auto rows = Rows("endpoint");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"10.244.0.5:9080", "HEALTHY", "-", "c", "-", "-", "0", "-"}));
  EXPECT_EQ(rows[1][1], "UNHEALTHY");
}

// What the proxy says of the two hosts of `c`, and of one that the dump does not have.
const Json& Clusters() {
  static const Json kClusters = Json::parse(R"({"cluster_statuses":[{"name":"c","host_statuses":[
{"address":{"socket_address":{"address":"10.244.0.5","port_value":9080}},"health_status":{"eds_health_status":"HEALTHY","failed_outlier_check":true}},
{"address":{"socket_address":{"address":"10.244.0.6","port_value":9080}},"health_status":{"eds_health_status":"UNHEALTHY"}},
{"address":{"socket_address":{"address":"10.244.0.7","port_value":9080}},"health_status":{"eds_health_status":"HEALTHY"}}]}]})");
  return kClusters;
}

TEST(ConfigDump, ShowsWhichEndpointsTheProxyHasEjected) {
  const Json asked = WithHostHealth(Dump(), Clusters());
  const auto rows = [&](const ConfigFilter& filter) {
    return ConfigTable("endpoint", Select("endpoint", ResourcesOf(asked, "endpoint"), filter)).rows;
  };
  const auto all = rows({});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], (std::vector<std::string>{"10.244.0.5:9080", "HEALTHY", "FAILED", "c", "-", "-", "0", "-"}));
  EXPECT_EQ(all[1], (std::vector<std::string>{"10.244.0.6:9080", "UNHEALTHY", "OK", "c", "-", "-", "0", "-"}));
  EXPECT_EQ(rows({.status = "unhealthy"}), all) << "an ejected one gets no requests";
  EXPECT_EQ(rows({.status = "HEALTHY"}).size(), 1u) << "by its STATUS, as in istioctl";
}

TEST(ConfigDump, TakesAFailedHealthCheckOfTheProxyForItsStatus) {
  Json clusters = Clusters();
  clusters["cluster_statuses"][0]["host_statuses"][0]["health_status"] = {{"failed_active_health_check", true}};
  const auto rows = ConfigTable("endpoint", ResourcesOf(WithHostHealth(Dump(), clusters), "endpoint")).rows;
  EXPECT_EQ(rows.at(0).at(1), "UNHEALTHY");
  EXPECT_EQ(rows.at(0).at(2), "OK");
}

TEST(ConfigDump, FindsTheHealthOfAClusterWhoseAssignmentHasAnotherName) {
  Json clusters = Clusters();
  clusters["cluster_statuses"][0]["name"] = "other";
  clusters["cluster_statuses"][0]["eds_service_name"] = "c";
  clusters["cluster_statuses"].push_back(clusters["cluster_statuses"][0]);
  clusters["cluster_statuses"][1]["host_statuses"][0]["health_status"] = {{"eds_health_status", "HEALTHY"}};
  const auto rows = ConfigTable("endpoint", ResourcesOf(WithHostHealth(Dump(), clusters), "endpoint")).rows;
  EXPECT_EQ(rows.at(0).at(2), "FAILED") << "one of the two clusters has ejected it";
}

TEST(ConfigDump, ShowsASecretThatIsNotThereYet) {
  EXPECT_EQ(Rows("secret").at(0),
            (std::vector<std::string>{"default", "Cert Chain", "WARMING", "false", "", "", "", ""}));
}

TEST(ConfigDump, ShowsASecretThatAGatewayWaitsFor) {
  const Json dump = Json::parse(R"({"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
    "dynamic_warming_secrets":[{"name":"kubernetes://site","secret":{"name":"kubernetes://site"}}]}]})");
  EXPECT_EQ(ConfigTable("secret", ResourcesOf(dump, "secret")).rows,
            (std::vector<std::vector<std::string>>{{"kubernetes://site", "-", "WARMING", "false", "", "", "", ""}}));
}

// As Istio sends roots where the mesh has aliases of its trust domain, or trusts other ones.
TEST(ConfigDump, ShowsTheRootsOfEachTrustDomainOfASpiffeValidator) {
  const tls::TestCa own("own");
  const tls::TestCa other("other");
  const auto domain = [](const char* name, const std::string& roots) {
    return Json{{"name", name}, {"trust_bundle", {{"inline_bytes", Base64Encode(AsBytes(roots))}}}};
  };
  const Json config = {
      {"trust_domains",
       {domain("cluster.local", own.root_pem()), domain("old.example", own.root_pem() + other.root_pem())}}};
  const Json secret = {
      {"name", "ROOTCA"},
      {"validation_context",
       {{"custom_validator_config", {{"name", "envoy.tls.cert_validator.spiffe"}, {"typed_config", config}}}}}};
  const auto rows = ConfigTable("secret", Json::array({secret})).rows;
  ASSERT_EQ(rows.size(), 3U);
  std::multiset<std::string> domains;
  for (const auto& row : rows) {
    EXPECT_EQ((std::vector(row.begin(), row.begin() + 4)),
              (std::vector<std::string>{"ROOTCA", "CA", "ACTIVE", "true"}));
    EXPECT_FALSE(row[4].empty());
    domains.insert(row[7]);
  }
  EXPECT_EQ(domains,
            (std::multiset<std::string>{"spiffe://cluster.local", "spiffe://old.example", "spiffe://old.example"}));
}

TEST(ConfigDump, SurvivesAnyShape) {
  for (const char* text : {"null", "[]", R"({"cluster_statuses":3})", R"({"cluster_statuses":[{"host_statuses":[3]}]})",
                           R"({"cluster_statuses":[{"name":"c","host_statuses":[{"health_status":[]}]}]})"})
    EXPECT_EQ(WithHostHealth(Dump(), Json::parse(text)), Dump()) << text;
  for (const char* text :
       {"{}", "[]", "null", R"({"configs":3})", R"({"configs":[{"@type":7}]})",
        R"({"configs":[{"@type":"x.ClustersConfigDump","static_clusters":[3,{"cluster":{"name":[]}}]}]})"})
    for (const char* what : {"cluster", "listener", "route", "endpoint", "secret"})
      EXPECT_NO_THROW(ConfigTable(what, ResourcesOf(Json::parse(text), what))) << text;
}

std::size_t Passing(const std::string& what, const ConfigFilter& filter) {
  return ConfigTable(what, Select(what, ResourcesOf(Dump(), what), filter)).rows.size();
}

TEST(ConfigFilter, KeepsWhatIstioctlsWould) {
  EXPECT_EQ(Passing("cluster", {.fqdn = "reviews"}), 1u);
  EXPECT_EQ(Passing("cluster", {.direction = "inbound"}), 0u);
  EXPECT_EQ(Passing("cluster", {.direction = "outbound", .subset = "v1", .port = 9080}), 1u);
  EXPECT_EQ(Passing("cluster", {.port = 9081}), 0u);
  EXPECT_EQ(Passing("listener", {.address = "0.0.0.0", .port = 80}), 2u);
  EXPECT_EQ(Passing("listener", {.port = 81}), 0u);
  EXPECT_EQ(Passing("route", {.name = "9080"}), 2u);
  EXPECT_EQ(Passing("route", {.name = "80"}), 0u);
  EXPECT_EQ(Passing("endpoint", {.address = "10.244.0.6"}), 1u);
  EXPECT_EQ(Passing("endpoint", {.status = "healthy"}), 1u);
  EXPECT_EQ(Passing("endpoint", {.cluster = "other"}), 0u);
}

TEST(ConfigDump, HasAServiceOnlyWhereItSendsToOne) {
  EXPECT_TRUE(HasService("cluster", ResourcesOf(Dump(), "cluster")));
  EXPECT_FALSE(HasService("endpoint", ResourcesOf(Dump(), "endpoint"))) << "cluster c is of no service";
  EXPECT_TRUE(HasService("endpoint", Json::parse(R"([{"cluster_name":"outbound|80||web"}])")));
  EXPECT_FALSE(HasService("cluster", Json::parse(R"([{"name":"inbound|80||"},{"name":"PassthroughCluster"},3])")));
  EXPECT_TRUE(HasService("route", ResourcesOf(Dump(), "route")));
  EXPECT_FALSE(HasService("route", Json::array()));
}

TEST(ConfigFilter, NarrowsAWholeDumpToADump) {
  const Json all = SelectAll(Dump(), {});
  EXPECT_EQ(all, Dump()) << "everything, without a filter";
  const Json some = SelectAll(Dump(), {.fqdn = "reviews", .address = "10.244.0.6", .name = "default"});
  const auto rows = [&](const char* what) { return ConfigTable(what, ResourcesOf(some, what)).rows.size(); };
  EXPECT_EQ(rows("cluster"), 1u);
  EXPECT_EQ(rows("endpoint"), 1u);
  EXPECT_EQ(rows("listener"), 0u) << "none of that address";
  EXPECT_EQ(rows("route"), 0u);
  EXPECT_EQ(rows("secret"), 1u);
  EXPECT_EQ(At(some, "configs").size(), At(Dump(), "configs").size()) << "every section, for --file";
  for (const char* text :
       {"{}", "[]", "null", R"({"configs":[3,{"@type":"x.ClustersConfigDump","static_clusters":[3]}]})"})
    EXPECT_NO_THROW(SelectAll(Json::parse(text), {.fqdn = "x"})) << text;
}

TEST(Loggers, AreReadFromEnvoysPage) {
  const Output output = LoggersOutput("active loggers:\n  xds: info\n  http: debug\n");
  EXPECT_EQ(output.table.rows, (std::vector<std::vector<std::string>>{{"xds", "info"}, {"http", "debug"}}));
  EXPECT_EQ((*output.data)["loggers"]["http"], "debug");
}

TEST(Render, ShowsOneResultInEveryFormat) {
  const Output output{
      .table = {{"A", "B", "MORE"}, {{"x", "1", "2"}}, 1}, .names = {"pod/x"}, .data = Data({{"a", "x"}})};
  EXPECT_EQ(OutputText(Format::kTable, output), "A   B\nx   1\n");
  EXPECT_EQ(OutputText(Format::kShort, output), "A   B\nx   1\n");
  EXPECT_EQ(OutputText(Format::kWide, output), "A   B   MORE\nx   1   2\n");
  EXPECT_EQ(OutputText(Format::kJson, output), "{\n  \"a\": \"x\"\n}\n");
  EXPECT_EQ(OutputText(Format::kYaml, output), "a: x\n");
  EXPECT_EQ(OutputText(Format::kName, output), "pod/x\n");
}

TEST(Render, AlignsColumnsByCharacters) {
  EXPECT_EQ(TableText({{"A", "B"}, {{"grün", "1"}, {"x", "2"}}}), "A      B\ngrün   1\nx      2\n");
}

// Who names a resource does not write to the terminal of those who look at it.
TEST(Render, ShowsControlCharactersOfOthersAsText) {
  const Output output{.table = {{"NAME", "X"}, {{"a\033[31m\xc2\x9b", "1"}, {"b", "2"}}}};
  EXPECT_EQ(OutputText(Format::kTable, output), "NAME             X\na\\x1b[31m\xc2\\x9b   1\nb                2\n");
  EXPECT_EQ(OutputText(Format::kName, output), "a\\x1b[31m\xc2\\x9b\nb\n");
}

TEST(Render, WritesCharactersThatYamlHasEscapedOnlyAsEscapes) {
  EXPECT_EQ(YamlText(Json::parse(
                "{\"k\\u0085\":\"a\\u007f\\u009b\\u2028\\ufffe\\ufeff\",\"s\":\"gr\\u00fcn \\ud83d\\ude00\"}")),
            "\"k\\u0085\": \"a\\u007f\\u009b\\u2028\\ufffe\\ufeff\"\ns: \"gr\u00fcn \U0001f600\"\n");
}

TEST(Render, WritesYamlThatReadsBackAsTheSame) {
  EXPECT_EQ(YamlText(Json::parse(R"({"a":[{"b":1,"c":["x","no"]},[]],"d":{},"e":"10:20"})")),
            "a:\n  - b: 1\n    c:\n      - x\n      - \"no\"\n  - []\nd: {}\ne: \"10:20\"\n");
}

}  // namespace
}  // namespace plait::cli
