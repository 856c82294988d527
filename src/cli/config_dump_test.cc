#include "cli/config_dump.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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
                                               "reviews.default"}));
  EXPECT_EQ(rows[1][0], "xds-grpc");
}

TEST(ConfigDump, SaysWhereEachChainLeads) {
  const auto rows = Rows("listener");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"0.0.0.0", "80", "ALL", "Cluster: PassthroughCluster"}));
  EXPECT_EQ(rows[1], (std::vector<std::string>{"0.0.0.0", "80", "Trans: raw_buffer; App: http/1.1,h2c", "Route: 80"}));
}

TEST(ConfigDump, KeepsRoutesInTheirOrder) {
  const auto rows = Rows("route");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0],
            (std::vector<std::string>{"9080", "reviews:9080", "reviews, reviews.default + 1 more...", "/*", ""}));
  EXPECT_EQ(rows[1][3], "/x");
  EXPECT_EQ(rows[1][4], "404");
}

TEST(ConfigDump, ShowsEndpointsWithHealth) {
  const auto rows = Rows("endpoint");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"10.244.0.5:9080", "HEALTHY", "OK", "c"}));
  EXPECT_EQ(rows[1][1], "UNHEALTHY");
}

TEST(ConfigDump, ShowsASecretThatIsNotThereYet) {
  EXPECT_EQ(Rows("secret").at(0), (std::vector<std::string>{"default", "Cert Chain", "WARMING", "false", "", "", ""}));
}

TEST(ConfigDump, SurvivesAnyShape) {
  for (const char* text :
       {"{}", "[]", "null", R"({"configs":3})", R"({"configs":[{"@type":7}]})",
        R"({"configs":[{"@type":"x.ClustersConfigDump","static_clusters":[3,{"cluster":{"name":[]}}]}]})"})
    for (const char* what : {"cluster", "listener", "route", "endpoint", "secret"})
      EXPECT_NO_THROW(ConfigTable(what, ResourcesOf(Json::parse(text), what))) << text;
}

TEST(Render, AlignsColumnsByCharacters) {
  EXPECT_EQ(TableText({{"A", "B"}, {{"grün", "1"}, {"x", "2"}}}), "A      B\ngrün   1\nx      2\n");
}

TEST(Render, WritesYamlThatReadsBackAsTheSame) {
  EXPECT_EQ(YamlText(Json::parse(R"({"a":[{"b":1,"c":["x","no"]},[]],"d":{},"e":"10:20"})")),
            "a:\n  - b: 1\n    c:\n      - x\n      - \"no\"\n  - []\nd: {}\ne: \"10:20\"\n");
}

}  // namespace
}  // namespace plait::cli
