// What a cluster counts beside what sessions and pools count: answers by code, and its circuit breakers.
#include <gtest/gtest.h>

#include <thread>

#include "proxy/cluster/cluster.h"

namespace plait::proxy::cluster {
namespace {

class ClusterStats : public testing::Test {
 protected:
  // The lines of /stats that contain `part`.
  std::string Lines(const std::string& part) {
    std::string text;
    registry_.Scrape({.filter = [&](std::string_view name) { return name.contains(part); }}, text);
    return text;
  }
  telemetry::Registry registry_;
  ClusterState state_{registry_, "outbound|80||a"};
};

TEST_F(ClusterStats, CountsEachStatusFromItsFirstAnswerOn) {
  EXPECT_EQ(Lines("upstream_rq_503"), "");
  state_.CountResponse(503);
  state_.CountResponse(200);
  state_.CountResponse(503);
  state_.CountResponse(42);
  EXPECT_EQ(Lines("upstream_rq_503"), "cluster.outbound|80||a.upstream_rq_503: 2\n");
  EXPECT_EQ(Lines("upstream_rq_200"), "cluster.outbound|80||a.upstream_rq_200: 1\n");
  EXPECT_EQ(Lines("upstream_rq_5xx"), "cluster.outbound|80||a.upstream_rq_5xx: 2\n");
  EXPECT_EQ(Lines("upstream_rq_completed"), "cluster.outbound|80||a.upstream_rq_completed: 4\n");
  std::string prometheus;
  registry_.Scrape({.format = telemetry::Format::kPrometheus}, prometheus);
  EXPECT_TRUE(
      prometheus.contains("envoy_cluster_upstream_rq{response_code=\"503\",cluster_name=\"outbound|80||a\"} 2\n"));
}

TEST_F(ClusterStats, CountsAnswersThatMadeTheRequestBeTriedAgainByThemselves) {
  state_.CountRetried(503);
  state_.CountRetried(999);
  EXPECT_EQ(Lines("a.retry."),
            "cluster.outbound|80||a.retry.upstream_rq_503: 1\n"
            "cluster.outbound|80||a.retry.upstream_rq_5xx: 1\n"
            "cluster.outbound|80||a.retry.upstream_rq_completed: 2\n");
  EXPECT_TRUE(Lines("a.upstream_rq_completed").contains(": 0"));
}

TEST_F(ClusterStats, CountsEveryAnswerOfAllThreads) {
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([this] {
      for (std::uint16_t i = 0; i < 5000; ++i) state_.CountResponse(static_cast<std::uint16_t>(200 + i % 50));
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (int status = 200; status < 250; ++status) {
    const std::string name = "upstream_rq_" + std::to_string(status);
    EXPECT_EQ(Lines(name), "cluster.outbound|80||a." + name + ": 400\n");
  }
}

TEST_F(ClusterStats, ShowsWhichLimitIsReached) {
  xds::Cluster config;
  config.circuit_breakers = {.max_connections = 1, .max_pending_requests = 1, .max_requests = 2, .max_retries = 1};
  state_.Configure(config);
  state_.ShowLimits();
  EXPECT_FALSE(Lines("circuit_breakers").contains(": 1"));
  ASSERT_TRUE(state_.limits[0].connections.Take());
  ASSERT_TRUE(state_.limits[0].requests.Take());
  ASSERT_TRUE(state_.limits[0].TakeRetry());
  state_.ShowLimits();
  EXPECT_TRUE(Lines("default.cx_open").contains(": 1"));
  EXPECT_TRUE(Lines("default.rq_retry_open").contains(": 1"));
  EXPECT_TRUE(Lines("default.rq_open").contains(": 0")) << "one of two";
  EXPECT_TRUE(Lines("default.rq_pending_open").contains(": 0"));
  EXPECT_TRUE(Lines("high.cx_open").contains(": 0"));
  EXPECT_EQ(Lines("remaining"), "") << "nobody asked for them";
  state_.limits[0].connections.Return();
  state_.ShowLimits();
  EXPECT_TRUE(Lines("default.cx_open").contains(": 0"));
}

TEST_F(ClusterStats, ShowsWhatRemainsOnlyWhereItIsTracked) {
  xds::Cluster config;
  config.circuit_breakers = {.max_connections = 3, .max_retries = 2, .track_remaining = true};
  state_.Configure(config);
  ASSERT_TRUE(state_.limits[0].connections.Take());
  state_.ShowLimits();
  EXPECT_EQ(Lines("remaining_"),
            "cluster.outbound|80||a.circuit_breakers.default.remaining_cx: 2\n"
            "cluster.outbound|80||a.circuit_breakers.default.remaining_pending: 1024\n"
            "cluster.outbound|80||a.circuit_breakers.default.remaining_retries: 2\n"
            "cluster.outbound|80||a.circuit_breakers.default.remaining_rq: 1024\n");
  config.circuit_breakers.retry_budget = xds::RetryBudget{};
  state_.Configure(config);
  state_.ShowLimits();
  EXPECT_TRUE(Lines("remaining_retries").contains(": 0")) << "a budget is no number of retries";
  config.circuit_breakers.track_remaining = false;
  state_.Configure(config);
  EXPECT_EQ(Lines("remaining_"), "");
}

}  // namespace
}  // namespace plait::proxy::cluster
