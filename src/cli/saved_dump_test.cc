#include "cli/saved_dump.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/config_dump.h"
#include "cli/config_tables.h"

namespace plait::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Json Read(std::string_view text) {
  const Outcome<Json> dump = DumpIn(text);
  EXPECT_TRUE(dump) << dump.error().ToString();
  return dump.value_or(Json());
}
Rows Table(const std::string& what, const Json& dump) { return ConfigTable(what, ResourcesOf(dump, what)).rows; }
std::string Why(std::string_view text) {
  const Outcome<Json> dump = DumpIn(text);
  return dump ? "it is one" : dump.error().ToString();
}
std::string Lack(const std::string& what, std::string_view text) {
  const std::optional<Diagnostic> lack = LackOf(what, Read(text));
  return lack ? lack->ToString() : "";
}

// As Envoy and plait-proxy write /clusters?format=json.
constexpr char kClusters[] = R"({"cluster_statuses":[
{"name":"outbound|9080|v1|reviews.default.svc.cluster.local","added_via_api":true,"host_statuses":[
 {"address":{"socket_address":{"address":"10.244.0.5","port_value":9080}},"weight":2,"locality":{"zone":"a"},
  "health_status":{"eds_health_status":"HEALTHY","failed_outlier_check":true},"stats":[{"name":"cx_total","value":"3"}]},
 {"address":{"socket_address":{"address":"10.244.0.6","port_value":9080}},"weight":1,"priority":1,"locality":{"region":"r","zone":"b"},
  "health_status":{"eds_health_status":"DRAINING"}}]},
{"name":"xds-grpc","host_statuses":[{"address":{"pipe":{"path":"/run/xds"}},"health_status":{}}]}]})";

TEST(SavedDump, ThatIsNestedWithoutMeasureIsRefused) {
  const std::string deep =
      R"({"configs":[{"@type":"x","a":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}]}";
  EXPECT_NE(Why(deep).find("is not a configuration dump"), std::string::npos);
}

TEST(SavedDump, OfClustersHasTheirNamesAndEndpoints) {
  const Json dump = Read(kClusters);
  EXPECT_EQ(Table("endpoint", dump), (Rows{{"10.244.0.5:9080", "HEALTHY", "FAILED",
                                            "outbound|9080|v1|reviews.default.svc.cluster.local", "-", "/a", "0", "2"},
                                           {"10.244.0.6:9080", "DRAINING", "OK",
                                            "outbound|9080|v1|reviews.default.svc.cluster.local", "-", "r/b", "1", "1"},
                                           {"unix:///run/xds", "HEALTHY", "OK", "xds-grpc", "-", "-", "0", "-"}}));
  EXPECT_EQ(Table("cluster", dump),
            (Rows{{"reviews.default.svc.cluster.local", "9080", "v1", "outbound", "-", "", "-", "-"},
                  {"xds-grpc", "-", "-", "-", "-", "", "-", "-"}}))
      << "whether they have TLS is not known";
  EXPECT_EQ(Lack("endpoint", kClusters) + Lack("cluster", kClusters), "");
  EXPECT_TRUE(Lack("route", kClusters).starts_with("has no routes, but clusters, endpoints alone"))
      << Lack("route", kClusters);
}

constexpr char kResource[] = R"({"configs":[
{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener","name":"l","active_state":{"listener":
 {"name":"0.0.0.0_80","address":{"socket_address":{"address":"0.0.0.0","port_value":80}},"filter_chains":[{}]}}},
{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener","name":"m","active_state":{"listener":
 {"name":"0.0.0.0_90","address":{"socket_address":{"address":"0.0.0.0","port_value":90}},"filter_chains":[{}]}}}]})";

TEST(SavedDump, OfOneResourceIsShownAndFiltered) {
  const Json dump = Read(kResource);
  EXPECT_EQ(Table("listener", dump).size(), 2U);
  EXPECT_EQ(Lack("listener", kResource), "");
  const Json some = SelectAll(dump, {.port = 90});
  ASSERT_EQ(Table("listener", some).size(), 1U);
  EXPECT_EQ(Table("listener", some)[0][1], "90");
  const std::string lack = Lack("cluster", kResource);
  EXPECT_TRUE(lack.starts_with("has no clusters, but listeners alone (save one with: plait pc all WORKLOAD -o json"))
      << lack;
}

TEST(SavedDump, WithAMaskIsShownAsFarAsItGoes) {
  const std::string type = R"({"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump)";
  const std::string named = R"({"configs":[)" + type + R"(.DynamicCluster","cluster":{"name":"x"}}]})";
  EXPECT_EQ(Table("cluster", Read(named)), (Rows{{"x", "-", "-", "-", "-", "", "-", "-"}}));
  const std::string without = R"({"configs":[)" + type + R"(","dynamic_active_clusters":[{"version_info":"1"},{}]}]})";
  EXPECT_EQ(Lack("cluster", without),
            "none of its 2 clusters has the field cluster: a mask left it out (save it without ?mask, or with one that "
            "has cluster)");
  EXPECT_EQ(Lack("cluster", R"({"configs":[)" + type + R"(.DynamicCluster","version_info":"1"}]})").substr(0, 25),
            "none of its 1 clusters ha");
}

TEST(SavedDump, ThatIsWholeLacksNothing) {
  const std::string whole =
      R"({"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump","bootstrap":{}}]})";
  for (const char* what : {"cluster", "listener", "route", "endpoint", "secret", "bootstrap", "all"})
    EXPECT_EQ(Lack(what, whole), "") << what;
  EXPECT_TRUE(Lack("secret", R"({"configs":[]})").starts_with("has no secrets: nothing is in it"));
}

TEST(SavedDump, SaysWhatAnotherFileIs) {
  EXPECT_TRUE(Why("x::default_priority::max_connections::1024\nx::added_via_api::true\n")
                  .starts_with("is the text of /clusters (save one with: /clusters?format=json"));
  EXPECT_TRUE(Why("[]").starts_with("is a list, such as `plait pc cluster WORKLOAD -o json` prints"));
  EXPECT_TRUE(Why(R"({"listener_statuses":[]})").starts_with("is the answer of /listeners"));
  EXPECT_TRUE(Why(R"({"certificates":[]})").starts_with("is the answer of /certs"));
  for (const char* other : {"", "{}", "null", "a: b", R"({"configs":1})", R"({"cluster_statuses":{}})"})
    EXPECT_TRUE(Why(other).starts_with("is not a configuration dump (save one with: ")) << other;
}

TEST(SavedDump, TakesAnyShape) {
  for (const char* shape : {R"({"cluster_statuses":[1,null,{"host_statuses":[1,{"address":2,"locality":[]}]}]})",
                            R"({"configs":[1,null,{"@type":3},{"@type":"x.ClustersConfigDump.DynamicCluster"}]})"}) {
    const Json dump = Read(shape);
    for (const char* what : {"cluster", "listener", "route", "endpoint", "secret", "bootstrap"}) {
      Table(what == std::string("bootstrap") ? "secret" : what, dump);
      Lack(what, shape);
    }
    EXPECT_TRUE(SelectAll(dump, {.port = 1}).is_object());
  }
}

}  // namespace
}  // namespace plait::cli
