#include "proxy/admin/admin.h"

#include "proxy/admin/test_state.h"

namespace plait::proxy::admin {
namespace {

class Admin : public AdminTest {
 protected:
  Got Get(std::string path) { return Ask(AdminHandler(state_), "GET", std::move(path)); }
  Got Post(std::string path) { return Ask(AdminHandler(state_), "POST", std::move(path)); }
};

TEST_F(Admin, ShowsClustersInBothForms) {
  const std::string text = Get("/clusters").body;
  EXPECT_NE(text.find("outbound|80||a::10.0.0.1:80::health_flags::healthy\n"), std::string::npos);
  EXPECT_NE(text.find("outbound|80||a::default_priority::max_connections::1024\n"), std::string::npos);
  const std::string json = Get("/clusters?format=json").body;
  EXPECT_NE(json.find("{\"cluster_statuses\":[{\"name\":\"outbound|80||a\",\"added_via_api\":true,\"host_statuses\":[{"
                      "\"address\":{\"socket_address\":"
                      "{\"address\":\"10.0.0.1\",\"port_value\":80}},\"stats\":[{\"name\":\"cx_connect_fail\"}"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find("{\"type\":\"GAUGE\",\"name\":\"cx_active\"}"), std::string::npos) << json;
  EXPECT_NE(json.find("\"health_status\":{\"eds_health_status\":\"HEALTHY\"}"), std::string::npos) << json;
  EXPECT_EQ(Get("/clusters?filter=nothing").body, "");
  EXPECT_EQ(Get("/clusters?filter=80&format=json").body, json);
  EXPECT_EQ(Get("/clusters?filter=(").status, 400);
}

TEST_F(Admin, ShowsTheHealthOfHostsAsEnvoyDoes) {
  auto config = std::make_shared<xds::Cluster>();
  config->name = "b";
  config->outlier_detection.emplace();
  using enum xds::HealthStatus;
  auto& endpoints = config->load_assignment.localities.emplace_back().endpoints;
  for (const xds::HealthStatus health : {kHealthy, kUnhealthy, kDraining, kTimeout, kDegraded})
    endpoints.push_back(
        {.address = io::SocketAddress::Parse("10.0.0." + std::to_string(endpoints.size()) + ":80").value(),
         .health = health});
  endpoints[0].canary = true;
  ASSERT_TRUE(state_.store.Put(config));
  const std::string text = Get("/clusters?filter=^b$").body;
  for (const char* line :
       {"b::10.0.0.0:80::health_flags::healthy\n", "b::10.0.0.1:80::health_flags::/failed_eds_health\n",
        "b::10.0.0.2:80::health_flags::/eds_status_draining\n", "b::10.0.0.3:80::health_flags::/failed_eds_health\n",
        "b::10.0.0.4:80::health_flags::/degraded_eds_health\n", "b::10.0.0.0:80::canary::true\n",
        "b::10.0.0.1:80::canary::false\n",
        "b::outlier::success_rate_average::-1\nb::outlier::success_rate_ejection_threshold::-1\n"
        "b::outlier::local_origin_success_rate_average::-1\n"
        "b::outlier::local_origin_success_rate_ejection_threshold::-1\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  EXPECT_EQ(Get("/clusters?filter=80").body.find("::outlier::"), std::string::npos);
}

TEST_F(Admin, ShowsHostsThatTakeNoLoadAndNoListOfHostsWhereThereIsNone) {
  auto config = std::make_shared<xds::Cluster>();
  config->name = "b";
  config->lb.locality_weighted = true;
  const auto locality = [](const char* region, const char* at) {
    return xds::LocalityEndpoints{
        .locality = {.region = region},
        .endpoints = {{.address = io::SocketAddress::Parse(at).value(), .health = xds::HealthStatus::kTimeout}}};
  };
  config->load_assignment.localities = {locality("near", "10.0.0.1:80"), locality("far", "10.0.0.2:80")};
  config->load_assignment.localities[0].weight = 3;
  ASSERT_TRUE(state_.store.Put(config));
  EXPECT_NE(Get("/clusters?filter=^b$").body.find("b::10.0.0.2:80::region::far\n"), std::string::npos);
  const std::string json = Get("/clusters?format=json&filter=^b$").body;
  EXPECT_NE(json.find("\"locality\":{\"region\":\"far\"}"), std::string::npos) << json;
  EXPECT_NE(json.find("{\"eds_health_status\":\"UNHEALTHY\"}"), std::string::npos) << json;
  config = std::make_shared<xds::Cluster>(*config);
  config->load_assignment.localities.clear();
  ASSERT_TRUE(state_.store.Put(config));
  const std::string empty = Get("/clusters?format=json&filter=^b$").body;
  EXPECT_NE(empty.find("\"name\":\"b\",\"added_via_api\":true,\"circuit_breakers\""), std::string::npos) << empty;
}

TEST_F(Admin, ShowsStatsFilteredAndInAllForms) {
  state_.store.Find("outbound|80||a")->state->Add(cluster::ClusterStat::kUpstreamRqTotal, 5);
  EXPECT_EQ(Get("/stats?filter=upstream_rq_total$").body, "cluster.outbound|80||a.upstream_rq_total: 5\n");
  EXPECT_EQ(Get("/stats?filter=(").status, 400);
  EXPECT_EQ(Get("/stats?format=json&filter=upstream_rq_total").body,
            "{\"stats\":[{\"name\":\"cluster.outbound|80||a.upstream_rq_total\",\"value\":5}]}");
  EXPECT_NE(Get("/stats/prometheus").body.find("envoy_cluster_upstream_rq_total{cluster_name=\"outbound|80||a\"} 5"),
            std::string::npos);
  EXPECT_EQ(Get("/stats?filter=upstream_rq_total&format=prometheus").body,
            Get("/stats/prometheus?filter=upstream_rq_total").body);
  EXPECT_EQ(Get("/stats?filter=upstream_rq_total$&type=Gauges").body, "");
  EXPECT_EQ(Get("/stats?filter=upstream_cx_tot&usedonly").body, "");
  EXPECT_EQ(Get("/stats?format=html").status, 400);
  EXPECT_EQ(Get("/stats?type=TextReadouts").body, "");
  EXPECT_EQ(Get("/stats?filter=cluster&invert_filter").body, "");
  EXPECT_EQ(Get("/stats?histogram_buckets=summary").status, 200);
  EXPECT_NE(Get("/stats?type=Histograms&histogram_buckets=cumulative").body.find(" B0.5(0,0) B1(0,0) "),
            std::string::npos);
  EXPECT_EQ(Get("/stats?histogram_buckets=all").status, 400);
  EXPECT_NE(Get("/stats/prometheus?histogram_buckets=summary").body.find(" summary\n"), std::string::npos);
  EXPECT_EQ(Get("/stats/prometheus?histogram_buckets=detailed").status, 400);
  EXPECT_EQ(Get("/stats?type=Nothing").status, 400);
  EXPECT_EQ(Get("/reset_counters").status, 405);
  EXPECT_EQ(Post("/reset_counters").status, 200);
  EXPECT_EQ(Get("/stats?filter=upstream_rq_total$").body, "cluster.outbound|80||a.upstream_rq_total: 0\n");
}

TEST_F(Admin, TellsItsState) {
  EXPECT_EQ(Get("/ready").body, "LIVE\n");
  const std::string info = Get("/server_info").body;
  EXPECT_NE(info.find("\"state\":\"LIVE\""), std::string::npos);
  EXPECT_NE(info.find("\"node\":{\"id\":\"sidecar~x\",\"cluster\":\"\",\"metadata\":{\"NAMESPACE\":\"ns\"}"),
            std::string::npos)
      << info;
  EXPECT_EQ(Get("/hot_restart_version").body, "disabled");
  EXPECT_EQ(Get("/listeners").body, "virtualOutbound::0.0.0.0:15001\n");
  EXPECT_NE(Get("/certs").body.find("\"days_until_expiration\":\"2\""), std::string::npos);
  const std::string memory = Get("/memory").body;
  EXPECT_NE(memory.find("\"allocated\":\""), std::string::npos);
  EXPECT_EQ(memory.find("\"total_physical_bytes\":\"0\""), std::string::npos) << memory;
  EXPECT_EQ(Get("/listeners?format=json").body,
            "{\"listener_statuses\":[{\"name\":\"virtualOutbound\",\"local_address\":{\"socket_address\":"
            "{\"address\":\"0.0.0.0\",\"port_value\":15001}}}]}\n");
}

TEST_F(Admin, FailsAndPassesHealthChecksOnDemand) {
  EXPECT_EQ(Get("/healthcheck/fail").status, 405);
  EXPECT_EQ(Post("/healthcheck/fail").body, "OK\n");
  EXPECT_EQ(Get("/ready").body, "DRAINING\n");
  EXPECT_EQ(Get("/ready").status, 503);
  EXPECT_EQ(Ask(ReadyHandler(state_), "GET", "/healthz/ready").status, 503);
  EXPECT_EQ(Post("/healthcheck/ok").body, "OK\n");
  EXPECT_EQ(Ask(ReadyHandler(state_), "GET", "/healthz/ready").status, 200);
}

TEST_F(Admin, ChangesThingsOnlyByPost) {
  EXPECT_EQ(Get("/quitquitquit").status, 405);
  EXPECT_FALSE(state_.quit);
  EXPECT_EQ(Post("/quitquitquit").body, "OK\n");
  EXPECT_TRUE(state_.quit);
  EXPECT_EQ(Get("/plait/renew").status, 405);
  EXPECT_EQ(Post("/plait/renew").body, "OK\n");
}

TEST_F(Admin, DrainsListenersAsAsked) {
  EXPECT_EQ(Get("/drain_listeners").status, 405);
  for (const char* path : {"/drain_listeners", "/drain_listeners?graceful&inboundonly", "/drain_listeners?skip_exit"})
    EXPECT_EQ(Post(path).body, "OK\n");
  EXPECT_EQ(state_.drained, "at once all ;graceful inbound ;at once all and stays;");
}

TEST_F(Admin, ReopensItsLogsOrSaysWhichItCouldNot) {
  EXPECT_EQ(Get("/reopen_logs").status, 405);
  EXPECT_EQ(Post("/reopen_logs").body, "OK\n");
  const Got failed = Post("/reopen_logs");
  EXPECT_EQ(failed.status, 503);
  EXPECT_NE(failed.body.find("/logs/a"), std::string::npos);
}

TEST_F(Admin, HasNoRuntimeAndSaysSo) {
  EXPECT_EQ(Get("/runtime").body, "{\"entries\":{},\"layers\":[]}\n");
  EXPECT_EQ(Get("/runtime_modify?a=b").status, 405);
  const Got refused = Post("/runtime_modify?a=b");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.body.starts_with("No admin layer specified"));
  EXPECT_EQ(Post("/runtime_modify").status, 400);
}

TEST_F(Admin, DumpsConfigurationOrSaysWhatIsWrong) {
  EXPECT_EQ(Get("/config_dump").body, "|||");
  EXPECT_EQ(Get("/config_dump?resource=static_clusters&mask=cluster.name&name_regex=a%7Cb&include_eds").body,
            "static_clusters|cluster.name|a|b|eds");
  EXPECT_EQ(Get("/config_dump?resource=none").status, 404);
  const Got bad = Get("/config_dump?name_regex=(");
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.body, "missing )\n");
}

TEST_F(Admin, ShowsAndChangesLevelsOfLoggers) {
  EXPECT_NE(Get("/logging").body.find("  http2: "), std::string::npos);
  EXPECT_EQ(Get("/logging?http2=trace").status, 405);
  EXPECT_NE(Post("/logging?http2=trace").body.find("  http2: trace\n"), std::string::npos);
  EXPECT_NE(Post("/logging?paths=http2:warning,http2:debug").body.find("  http2: debug\n"), std::string::npos);
  for (const char* wrong : {"level=loud", "nothing=trace", "http2=loud", "paths=http2",
                            "paths=http2:debug,nothing:debug", "level=info&http2=trace"}) {
    const Got refused = Post("/logging?" + std::string(wrong));
    EXPECT_EQ(refused.status, 400) << wrong;
    EXPECT_TRUE(refused.body.starts_with("error: ")) << wrong;
    EXPECT_NE(refused.body.find("  http2: debug\n"), std::string::npos) << wrong << ": nothing is changed";
  }
  EXPECT_EQ(Post("/logging?level=info").body.find(": debug\n"), std::string::npos);
}

TEST_F(Admin, ListsItsCommandsAlsoForAPathThatItDoesNotKnow) {
  const std::string help = Get("/help").body;
  EXPECT_NE(help.find("  /clusters: upstream cluster status\n      filter: "), std::string::npos);
  EXPECT_NE(help.find("  /quitquitquit (POST): exit the server\n"), std::string::npos);
  EXPECT_EQ(Get("/").body, help);
  const Got unknown = Get("/nope");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body, "invalid path. " + help);
}

TEST_F(Admin, LetsNoAnswerBeKeptOrGuessedAt) {
  const Got page = Get("/server_info");
  EXPECT_EQ(page.headers.Get("content-type"), "application/json");
  EXPECT_EQ(page.headers.Get("cache-control"), "no-cache, max-age=0");
  EXPECT_EQ(page.headers.Get("x-content-type-options"), "nosniff");
}

TEST_F(Admin, ExplainsARequestOrSaysWhatIsMissing) {
  EXPECT_EQ(Get("/plait/explain?to=reviews&port=9080&path=%2Fx").body, "{\"to\":\"reviews\"}");
  for (const char* bad : {"", "?port=80", "?direction=inbound", "?to=a&port=70000", "?to=a&path=x", "?to=a&header=x",
                          "?to=a&path=%zz", "?to=a&colour=blue", "?to=a&direction=up"})
    EXPECT_EQ(Get(std::string("/plait/explain") + bad).status, 400) << bad;
}

TEST(ExplainQuery, TakesHeadersAndAPrincipal) {
  const auto query =
      ReadExplainQuery("direction=inbound&port=9080&source=10.0.0.1&principal=spiffe%3A%2F%2Fa&header=X-A%3A%20b&tcp");
  ASSERT_TRUE(query) << query.error().ToString();
  EXPECT_TRUE(query->inbound && query->tcp);
  EXPECT_EQ(query->principal, "spiffe://a");
  EXPECT_EQ(query->headers, (std::vector<std::pair<std::string, std::string>>{{"x-a", "b"}}));
}

TEST(ExplainQuery, TakesTheHostHeaderForTheHostThatIsAskedFor) {
  for (const char* header : {"Host%3A%20ratings", "host:ratings", "%3Aauthority%3A%20ratings"}) {
    const auto query = ReadExplainQuery(std::string("to=details&header=x:y&header=") + header);
    ASSERT_TRUE(query) << query.error().ToString();
    EXPECT_EQ(query->host, "ratings") << header;
    EXPECT_EQ(query->headers, (std::vector<std::pair<std::string, std::string>>{{"x", "y"}}));
  }
  EXPECT_TRUE(ReadExplainQuery("to=details&header=host:ratings&host=ratings"));
  for (const char* wrong :
       {"host=details&header=host:ratings", "header=host:ratings&host=details", "header=%3Apath:/x"})
    EXPECT_FALSE(ReadExplainQuery(std::string("to=details&") + wrong)) << wrong;
}

TEST(ExplainQuery, TakesWhatTheOneWhoAsksDoesNotKnow) {
  const auto query = ReadExplainQuery("direction=inbound&port=80&sni=a.b&unknown=headers,direct_ip");
  ASSERT_TRUE(query) << query.error().ToString();
  EXPECT_EQ(query->sni, "a.b");
  EXPECT_TRUE(query->unknown.headers && query->unknown.direct_ip && !query->unknown.principal);
  EXPECT_TRUE(ReadExplainQuery("direction=inbound&port=80&unknown=principal")->unknown.principal);
  const auto wrong = ReadExplainQuery("direction=inbound&port=80&unknown=headers,colour");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("colour"), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::admin
