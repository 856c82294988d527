#include "cli/tables.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

using Row = std::vector<std::string>;

local::WorkloadStatus Workload(const char* name, bool ready, int proxy_pid, std::size_t containers) {
  local::WorkloadStatus w{.name = name, .ns = "default", .ip = "10.244.0.2", .pid = 7, .proxy_pid = proxy_pid};
  w.ready = ready;
  w.phase = "Running";
  for (std::size_t i = 0; i < containers; ++i)
    w.containers.push_back({.name = "c", .state = "running", .pid = 7, .ready = ready});
  return w;
}

TEST(WorkloadTable, CountsTheProxyAsAContainer) {
  local::MeshStatus status;
  status.workloads = {Workload("web-0", true, 9, 1), Workload("late-0", false, 9, 2), Workload("gateway-0", true, 9, 0),
                      Workload("plain-0", true, 0, 1)};
  const Table table = WorkloadTable(status);
  ASSERT_EQ(table.rows.size(), 4u);
  EXPECT_EQ(table.rows[0], (Row{"web-0", "default", "2/2", "Running", "0", "10.244.0.2", "7", ""}));
  EXPECT_EQ(table.rows[1][2], "0/3");
  EXPECT_EQ(table.rows[2][2], "1/1");
  EXPECT_EQ(table.rows[3][2], "1/1") << "without a proxy there is nothing to add";
}

const Json& Syncz() {
  static const Json kSyncz = Json::parse(R"([
{"proxy":"b.default","cluster_id":"Kubernetes","istiod":"plaitd","istio_version":"0.1.0",
 "cluster_sent":"3","cluster_acked":"3","listener_sent":"1","listener_acked":"","route_sent":"5","route_acked":"4",
 "types":{"envoy.config.route.v3.RouteConfiguration":{"nacked":1,"error":"route 80: no such field"},
          "envoy.config.cluster.v3.Cluster":{"nacked":0,"sent_at":"2026-11-28T13:50:00Z","answered_at":"2026-11-28T13:57:00Z"}}},
{"proxy":"a.default","route_sent":"2","route_acked":"1",
 "cluster_sent":"","cluster_acked":"","types":{"envoy.config.cluster.v3.Cluster":{"resources":3}}}])");
  return kSyncz;
}

TEST(ProxyTable, SaysWhatEachProxyHasAcknowledgedOrRefused) {
  const Table table = ProxyTable(Syncz(), *ParseRfc3339("2026-11-28T14:00:00Z"));
  EXPECT_EQ(table.columns,
            (Row{"NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "SDS", "INDEX", "AGE", "ISTIOD", "VERSION"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0][5], "STALE");
  EXPECT_EQ(table.rows[0][2], "SYNCED") << "it has three from before a restart of plaitd";
  EXPECT_EQ(table.rows[1], (Row{"b.default", "Kubernetes", "SYNCED", "STALE (Never Acknowledged)", "NOT SENT", "NACK",
                                "NOT SENT", "NOT SENT", "3m", "plaitd", "0.1.0"}));
}

TEST(ProxyTable, SaysThatAProxyIsAnEnvoyInPlaceOfAVersionThatIsNotItsOwn) {
  const Json syncz = Json::parse(R"([{"proxy":"a.default","istio_version":"1.31.4","program":"envoy"}])");
  EXPECT_EQ(ProxyTable(syncz, WallTime()).rows.at(0).back(), "Envoy");
}

TEST(ProxyTable, HasARowForEachProxyThatIsNotConnected) {
  local::MeshStatus status;
  status.workloads = {Workload("c-0", true, 9, 1), Workload("a-0", true, 9, 1), Workload("plain-0", true, 0, 1),
                      Workload("job-0", false, 0, 1), Workload("job-1", false, 0, 1)};
  for (local::WorkloadStatus& w : status.workloads) w.proxy = w.name == "plain-0" ? "none" : "sidecar";
  status.workloads[3].phase = "Succeeded";
  status.workloads[4].phase = "Failed";
  Json syncz = Json::parse(R"([{"proxy":"a-0.default","cluster_id":"Kubernetes"}])");
  AddNotConnected(syncz, status);
  EXPECT_EQ(syncz.size(), 2u);
  EXPECT_EQ(syncz[1], Json::parse(R"({"proxy":"c-0.default","connected":false})"));
  const Table table = ProxyTable(syncz, WallTime());
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[1], (Row{"c-0.default", "-", "NOT CONNECTED", "-", "-", "-", "-", "-", "-", "-", "-"}));
}

TEST(ProxyTable, GivesTheReasonOfARefusal) {
  EXPECT_EQ(Refusals(Syncz()), Row{"b.default refuses RouteConfiguration: route 80: no such field"});
}

TEST(ProxyTable, SurvivesAnyShape) {
  for (const char* text : {"[]", "[3]", R"([{"proxy":3,"types":[]}])", R"([{"types":{"x.Cluster":4}}])",
                           R"([{"types":{"x.Cluster":{"error":4}},"cluster_sent":{}}])"}) {
    const Json syncz = Json::parse(text);
    EXPECT_NO_THROW(ProxyTable(syncz, WallTime())) << text;
    EXPECT_TRUE(Refusals(syncz).empty()) << text;
  }
}

}  // namespace
}  // namespace plait::cli
