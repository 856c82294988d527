#include "proxy/admin/agent.h"

#include "proxy/admin/test_state.h"

namespace plait::proxy::admin {
namespace {

class Agent : public AdminTest {
 protected:
  // An application that answers each scrape so.
  Port Start(conn::OnRequest handler, const char* address = "127.0.0.1:0") {
    application_ = std::make_unique<conn::HttpServer>(state_.loop, conn::HttpServerOptions{}, std::move(handler));
    return application_->ListenOn(io::SocketAddress::Parse(address).value()).value().port;
  }
  Got Scrape(ApplicationMetrics application, http::Headers headers = {}) {
    return Ask(AgentHandler(state_.loop, state_, std::move(application)), "GET", "/stats/prometheus",
               std::move(headers));
  }
  std::unique_ptr<conn::HttpServer> application_;
};

TEST_F(Agent, MergesTheApplicationsMetricsAfterItsOwn) {
  const Port port = Start([](const conn::Request& request, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, "app_metric{path=\"" + request.head.path + "\",accept=\"" +
                                               std::string(request.head.headers.Get("accept").value_or("")) + "\"} 1"));
  });
  const Got got = Scrape({.port = port, .path = "/m?x=1"});
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.headers.Get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(got.body.find("envoy_cluster_upstream_rq_total"), std::string::npos);
  EXPECT_NE(got.body.find("istio_agent_scrapes_total 1\n"), std::string::npos);
  EXPECT_TRUE(got.body.ends_with("app_metric{path=\"/m?x=1\",accept=\"text/plain;version=0.0.4\"} 1\n")) << got.body;
}

TEST_F(Agent, FindsAnApplicationThatListensOnIpv6Only) {
  const Port port =
      Start([](const conn::Request&, conn::Responder responder) { responder.Send(conn::TextResponse(200, "six 6\n")); },
            "[::1]:0");
  EXPECT_TRUE(Scrape({.port = port}).body.ends_with("six 6\n"));
}

TEST_F(Agent, GivesItsOwnMetricsWhenTheApplicationHasNone) {
  Port port = Start([](const conn::Request&, conn::Responder responder) {
    responder.Send(conn::TextResponse(404, "app_metric 1\n"));
  });
  Got got = Scrape({.port = port});
  EXPECT_EQ(got.status, 200);
  EXPECT_NE(got.body.find("envoy_cluster_upstream_rq_total"), std::string::npos);
  EXPECT_EQ(got.body.find("app_metric"), std::string::npos);
  EXPECT_NE(got.body.find("path /metrics, could not be read: status 404\n"), std::string::npos);

  application_.reset();
  got = Scrape({.port = port});
  EXPECT_EQ(got.status, 200);
  EXPECT_NE(got.body.find("could not be read: connection refused\n"), std::string::npos);
  EXPECT_NE(got.body.find("istio_agent_scrape_failures_total{type=\"application\"} 1\n"), std::string::npos);
}

TEST_F(Agent, WaitsNoLongerThanPrometheusDoes) {
  std::optional<conn::Responder> silent;
  const Port port =
      Start([&](const conn::Request&, conn::Responder responder) { silent.emplace(std::move(responder)); });
  const Got got = Scrape({.port = port}, {{"x-prometheus-scrape-timeout-seconds", "0.05"}});
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(silent.has_value());
  EXPECT_NE(got.body.find("could not be read: "), std::string::npos);
}

TEST_F(Agent, TakesNoMoreOfTheApplicationThanItsLimit) {
  const Port port = Start([](const conn::Request&, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, std::string(9 * 1024 * 1024, 'x')));
  });
  const Got got = Scrape({.port = port});
  EXPECT_EQ(got.status, 200);
  EXPECT_LT(got.body.size(), 1024U * 1024U);
  EXPECT_NE(got.body.find("could not be read: "), std::string::npos);
}

TEST_F(Agent, EndsAndDrainsTheProxyByPost) {
  const auto ask = [this](const char* method, const char* path) {
    return Ask(AgentHandler(state_.loop, state_, {}), method, path).status;
  };
  EXPECT_EQ(ask("GET", "/healthz/ready"), 200);
  EXPECT_EQ(ask("GET", "/quitquitquit"), 405);
  EXPECT_FALSE(state_.quit);
  EXPECT_EQ(ask("POST", "/quitquitquit"), 200);
  EXPECT_TRUE(state_.quit);
  EXPECT_EQ(ask("POST", "/drain"), 200);
  EXPECT_EQ(state_.drained, "graceful inbound and stays;");
  EXPECT_EQ(ask("GET", "/nope"), 404);
}

TEST(ScrapeAnnotations, AreIstios) {
  using Read = std::optional<ApplicationMetrics>;
  EXPECT_EQ(ReadScrapeAnnotations("").value(), Read());
  EXPECT_EQ(ReadScrapeAnnotations(R"({"scrape":"false","port":"9080"})").value(), Read());
  EXPECT_EQ(ReadScrapeAnnotations(R"({"scrape":"true"})").value(), (ApplicationMetrics{Port{80}, "/metrics"}));
  EXPECT_EQ(ReadScrapeAnnotations(R"({"scrape":"true","path":"stats","port":"9080"})").value(),
            (ApplicationMetrics{Port{9080}, "/stats"}));
}

TEST(ScrapeAnnotations, MayNotNameThePortsOfTheProxyItself) {
  for (const char* own : {"15000", "15020", "15021", "15090"}) {
    const auto read = ReadScrapeAnnotations(R"({"port":")" + std::string(own) + R"("})");
    ASSERT_FALSE(read.has_value()) << own;
    EXPECT_NE(read.error().message.find(own), std::string::npos) << read.error().message;
    EXPECT_NE(read.error().hint.find("prometheus.io/port"), std::string::npos) << read.error().hint;
  }
  EXPECT_TRUE(ReadScrapeAnnotations(R"({"port":"15022"})").has_value());
}

TEST(ScrapeAnnotations, SayWhatIsWrong) {
  const auto port = ReadScrapeAnnotations(R"({"scrape":"true","port":"http"})");
  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().message.find("port \"http\""), std::string::npos);
  EXPECT_NE(port.error().hint.find("prometheus.io/port"), std::string::npos);
  EXPECT_FALSE(ReadScrapeAnnotations("[1]").has_value());
  EXPECT_FALSE(ReadScrapeAnnotations("{").has_value());
}

}  // namespace
}  // namespace plait::proxy::admin
