#include "proxy/admin/admin.h"

#include <gtest/gtest.h>

#include "core/conn/http_client.h"
#include "core/telemetry/registry.h"
#include "proxy/cluster/cluster_set.h"

namespace plait::proxy::admin {
namespace {

class FakeState final : public AdminState {
 public:
  FakeState() {
    auto config = std::make_shared<xds::Cluster>();
    config->name = "outbound|80||a";
    config->load_assignment.localities.push_back(
        {.endpoints = {{.address = io::SocketAddress::Parse("10.0.0.1:80").value()}}});
    EXPECT_TRUE(store.Put(config));
  }
  ServerInfo Info() const override {
    return {.version = "plait/0.1.0", .state = state, .uptime = std::chrono::seconds(7), .service_node = "sidecar~x"};
  }
  std::vector<cluster::ClusterPtr> Clusters() const override { return store.All(); }
  std::vector<ListenerInfo> Listeners() const override {
    return {{"virtualOutbound", {io::SocketAddress::Parse("0.0.0.0:15001").value()}}};
  }
  std::vector<CertificateEntry> Certificates() const override {
    return {{.chain = {{.path = "default",
                        .uri_sans = {"spiffe://x"},
                        .expires = SystemClock().Wall() + std::chrono::hours(49)}}}};
  }
  Outcome<std::string> ConfigDump(const ConfigDumpQuery& query) const override {
    if (query.resource == "bad") return Explain(Errc::kInvalidInput, "no such resource 'bad'");
    return "{\"configs\":[]}";
  }
  telemetry::Registry& Stats() override { return registry; }
  void Quit() override { quit = true; }
  void SetHealthFailed(bool) override {}
  void DrainListeners(bool graceful, bool) override { drained = graceful; }
  void RenewCertificate(std::move_only_function<void(Outcome<>)> done) override {
    loop.Defer([done = std::move(done)]() mutable { done({}); });
  }
  io::Loop loop;
  telemetry::Registry registry;
  cluster::ClusterStore store{loop, registry, nullptr, [](const cluster::ClusterUpdate&) {}};
  ServerState state = ServerState::kLive;
  bool quit = false, drained = false;
};

class Admin : public testing::Test {
 protected:
  struct Got {
    std::uint16_t status = 0;
    std::string body;
  };
  Got Ask(conn::OnRequest handler, std::string method, std::string path) {
    conn::HttpServer server(state_.loop, {}, std::move(handler));
    conn::FetchRequest request{.to = server.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value()};
    request.head.method = std::move(method);
    request.head.path = std::move(path);
    std::optional<Got> got;
    const Pending pending = conn::Fetch(state_.loop, std::move(request), [&](Result<conn::FetchResponse> response) {
      got = response ? Got{response->head.status, response->body} : Got{};
    });
    state_.loop.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(5));
    return got.value_or(Got{});
  }
  Got Get(std::string path) { return Ask(AdminHandler(state_), "GET", std::move(path)); }
  Got Post(std::string path) { return Ask(AdminHandler(state_), "POST", std::move(path)); }
  FakeState state_;
};

TEST_F(Admin, ShowsClustersInBothForms) {
  const std::string text = Get("/clusters").body;
  EXPECT_NE(text.find("outbound|80||a::10.0.0.1:80::health_flags::healthy\n"), std::string::npos);
  EXPECT_NE(text.find("outbound|80||a::default_priority::max_connections::1024\n"), std::string::npos);
  const std::string json = Get("/clusters?format=json").body;
  EXPECT_NE(
      json.find(
          "{\"cluster_statuses\":[{\"name\":\"outbound|80||a\",\"host_statuses\":[{\"address\":{\"socket_address\":"
          "{\"address\":\"10.0.0.1\",\"port_value\":80}},\"stats\":[{\"type\":\"GAUGE\",\"name\":\"cx_active\"}"),
      std::string::npos)
      << json;
}

TEST_F(Admin, ShowsStatsFilteredAndInAllForms) {
  state_.store.Find("outbound|80||a")->state->Add(cluster::ClusterStat::kUpstreamRqTotal, 5);
  EXPECT_EQ(Get("/stats?filter=upstream_rq_total$").body, "cluster.outbound|80||a.upstream_rq_total: 5\n");
  EXPECT_EQ(Get("/stats?filter=(").status, 400);
  EXPECT_EQ(Get("/stats?format=json&filter=upstream_rq_total").body,
            "{\"stats\":[{\"name\":\"cluster.outbound|80||a.upstream_rq_total\",\"value\":5}]}");
  EXPECT_NE(Get("/stats/prometheus").body.find("envoy_cluster_upstream_rq_total{cluster_name=\"outbound|80||a\"} 5"),
            std::string::npos);
  EXPECT_EQ(Post("/reset_counters").status, 200);
  EXPECT_EQ(Get("/stats?filter=upstream_rq_total$").body, "cluster.outbound|80||a.upstream_rq_total: 0\n");
}

TEST_F(Admin, TellsItsState) {
  EXPECT_EQ(Get("/ready").body, "LIVE\n");
  EXPECT_NE(Get("/server_info").body.find("\"state\":\"LIVE\""), std::string::npos);
  EXPECT_EQ(Get("/listeners").body, "virtualOutbound::0.0.0.0:15001\n");
  EXPECT_NE(Get("/certs").body.find("\"days_until_expiration\":\"2\""), std::string::npos);
  EXPECT_NE(Get("/memory").body.find("\"allocated\":\""), std::string::npos);
  state_.state = ServerState::kDraining;
  EXPECT_EQ(Get("/ready").status, 503);
  EXPECT_EQ(Ask(ReadyHandler(state_), "GET", "/healthz/ready").status, 503);
}

TEST_F(Admin, ChangesThingsOnlyByPost) {
  EXPECT_EQ(Get("/quitquitquit").status, 405);
  EXPECT_FALSE(state_.quit);
  EXPECT_EQ(Post("/quitquitquit").body, "OK\n");
  EXPECT_TRUE(state_.quit);
  EXPECT_EQ(Get("/plait/renew").status, 405);
  EXPECT_EQ(Post("/plait/renew").body, "OK\n");
  EXPECT_EQ(Post("/drain_listeners?graceful").status, 200);
  EXPECT_TRUE(state_.drained);
}

TEST_F(Admin, DumpsConfigurationOrSaysWhatIsWrong) {
  EXPECT_EQ(Get("/config_dump").body, "{\"configs\":[]}");
  const Got bad = Get("/config_dump?resource=bad");
  EXPECT_EQ(bad.status, 400);
  EXPECT_NE(bad.body.find("'bad'"), std::string::npos);
}

TEST_F(Admin, ListsItsCommands) {
  EXPECT_NE(Get("/help").body.find("/clusters: upstream cluster status"), std::string::npos);
  EXPECT_EQ(Get("/nope").status, 404);
  EXPECT_EQ(Post("/logging?level=nope").status, 400);
  EXPECT_NE(Post("/logging").body.find("active loggers:"), std::string::npos);
}

TEST_F(Admin, MergesTheApplicationsMetrics) {
  conn::HttpServer application(state_.loop, {}, [](conn::Request request, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, "app_metric{path=\"" + request.head.path + "\"} 1"));
  });
  const io::SocketAddress at = application.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  const Got got = Ask(AgentHandler(state_.loop, state_, ApplicationMetrics{.address = at, .path = "/m"}), "GET",
                      "/stats/prometheus");
  EXPECT_NE(got.body.find("envoy_cluster_upstream_rq_total"), std::string::npos);
  EXPECT_TRUE(got.body.ends_with("app_metric{path=\"/m\"} 1\n"));
  EXPECT_EQ(Ask(AgentHandler(state_.loop, state_, {}), "POST", "/quitquitquit").status, 200);
  EXPECT_TRUE(state_.quit);
}

}  // namespace
}  // namespace plait::proxy::admin
