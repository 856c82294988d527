// A stock Envoy in place of a plait-proxy: what is asked for, its bootstraps, and how it is drained.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/conn/http_server.h"
#include "core/io/socket.h"
#include "local/bootstrap.h"
#include "local/envoy_drain.h"
#include "local/envoy_process.h"

namespace plait::local {
namespace {

PodSpec Sidecar(std::vector<std::pair<std::string, std::string>> annotations) {
  PodSpec pod;
  pod.name = "ratings-v1-0";
  pod.ns = "default";
  pod.service_account = "bookinfo-ratings";
  pod.annotations = std::move(annotations);
  pod.proxy = ProxyKind::kSidecar;
  return pod;
}

TEST(Envoy, IsWhatAnAnnotationOfASidecarAsksFor) {
  EXPECT_FALSE(*WantsEnvoy(Sidecar({})));
  EXPECT_TRUE(*WantsEnvoy(Sidecar({{"plait.dev/proxy", "envoy"}})));
  const Outcome<bool> unknown = WantsEnvoy(Sidecar({{"plait.dev/proxy", "nginx"}}));
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("nginx"), std::string::npos);
  PodSpec gateway = Sidecar({{"plait.dev/proxy", "envoy"}});
  gateway.proxy = ProxyKind::kGateway;
  EXPECT_FALSE(WantsEnvoy(gateway));
  gateway.proxy = ProxyKind::kNone;
  EXPECT_FALSE(*WantsEnvoy(gateway));
}

class EnvoyBootstrap : public testing::Test {
 protected:
  nlohmann::json Read(const std::string& yaml) { return nlohmann::json::parse(yaml.substr(yaml.find('\n'))); }
  const PodSpec pod = Sidecar({});
  const BootstrapInput common{.pod = pod,
                              .ips = {"10.244.0.5", "fd00:10:244::5"},
                              .token_path = "/run/t/token",
                              .root_path = "/run/t/root.pem",
                              .control_address = "10.244.0.1",
                              .xds_port = Port{15012}};
};

TEST_F(EnvoyBootstrap, HasNoTokenMarksItsConnectionsAndTakesItsCertificateBySds) {
  const std::string yaml = EnvoyBootstrapYaml({.common = common, .sds_path = "/run/t/sds"});
  EXPECT_EQ(yaml.find("token"), std::string::npos);
  const nlohmann::json json = Read(yaml);
  EXPECT_EQ(json["node"]["id"], "sidecar~10.244.0.5~ratings-v1-0.default~default.svc.cluster.local");
  EXPECT_EQ(json["node"]["metadata"]["PLAIT_APPLICATION_MARK"], "1337");
  EXPECT_EQ(json["cluster_manager"]["upstream_bind_config"]["socket_options"][0]["int_value"], 0x53a);
  EXPECT_EQ(json["dynamic_resources"]["ads_config"]["api_type"], "DELTA_GRPC");
  EXPECT_FALSE(json["stats_config"]["use_all_default_tags"]);
  EXPECT_EQ(json["layered_runtime"]["layers"][0]["static_layer"]["re2.max_program_size.error_level"], 32768);
  EXPECT_EQ(json["stats_config"]["stats_tags"][0]["tag_name"], "cluster_name");
  const auto& clusters = json["static_resources"]["clusters"];
  EXPECT_EQ(clusters[0]["transport_socket"]["typed_config"]["common_tls_context"]["tls_certificate_sds_secret_configs"]
                    [0]["name"],
            "default");
  EXPECT_EQ(clusters[1]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["pipe"]["path"],
            "/run/t/sds");
  EXPECT_EQ(Read(EnvoyBootstrapYaml(
                {.common = common, .sds_path = "/s", .delta = false}))["dynamic_resources"]["ads_config"]["api_type"],
            "GRPC");
}

TEST_F(EnvoyBootstrap, OfTheIdentityBesideItHasTheTokenAndAsksForNoListeners) {
  const nlohmann::json json = Read(IdentityBootstrapYaml(common));
  EXPECT_EQ(json["bootstrap_extensions"][0]["typed_config"]["token_path"], "/run/t/token");
  EXPECT_FALSE(json["dynamic_resources"].contains("lds_config"));
  EXPECT_FALSE(json.contains("admin"));
}

TEST(EnvoyStats, SayWhatRunsOnTheInboundSide) {
  const InboundActivity now = ReadInboundActivity(
      "http.agent.downstream_rq_active: 1\n"
      "http.inbound_0.0.0.0_9080.downstream_rq_active: 2\n"
      "http.outbound_0.0.0.0_9080.downstream_rq_active: 7\n"
      "listener.0.0.0.0_15001.downstream_cx_active: 9\n"
      "listener.0.0.0.0_15006.downstream_cx_active: 3\n"
      "listener.0.0.0.0_15006.worker_0.downstream_cx_active: 3\n"
      "listener.0.0.0.0_15006.downstream_cx_length_ms: P0(nan,1)\nnonsense");
  EXPECT_EQ(now.requests, 2u);
  EXPECT_EQ(now.connections, 3u);
}

TEST(EnvoyDrain, AsksForADrainAndWaitsUntilNoConnectionIsLeft) {
  io::Loop loop;
  std::vector<std::string> asked;
  int left = 2;
  conn::HttpServer admin(loop, {}, [&](conn::Request request, conn::Responder responder) {
    asked.push_back(std::string(request.head.method) + " " + std::string(request.head.path));
    const bool drain = request.head.method == "POST";
    responder.Send(conn::TextResponse(
        200, drain ? "OK\n" : "listener.0.0.0.0_15006.downstream_cx_active: " + std::to_string(left--) + "\n"));
  });
  const io::SocketAddress address = *admin.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  bool done = false;
  const EnvoyDrain drain(loop, [&] { return io::Connect(loop, address); }, [&] { done = true; });
  ASSERT_TRUE(loop.RunUntil([&] { return done; }, std::chrono::seconds(5)));
  ASSERT_EQ(asked.size(), 4u);  // 2, 1 and then 0 connections
  EXPECT_EQ(asked[0], "POST /drain_listeners?inboundonly&graceful&skip_exit");
  EXPECT_EQ(asked[1], "GET /stats?filter=downstream_.._active");
}

TEST(EnvoyDrain, IsDoneWhenEnvoyIsGone) {
  io::Loop loop;
  bool done = false;
  const EnvoyDrain drain(loop, [] { return nullptr; }, [&] { done = true; });
  EXPECT_FALSE(done);
  EXPECT_TRUE(loop.RunUntil([&] { return done; }, std::chrono::seconds(5)));
}

}  // namespace
}  // namespace plait::local
