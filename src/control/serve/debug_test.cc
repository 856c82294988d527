#include "control/serve/debug.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/serve/config_dump_codec.h"
#include "control/serve/fake_provider.h"
#include "core/base/encoding.h"
#include "core/tls/certificate.h"
#include "core/xds/ads_stream.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::json;
constexpr Duration kLimit = std::chrono::seconds(5);

// Takes everything.
struct Anything : xds::Subscriber {
  std::vector<xds::Rejection> OnUpdate(const xds::Update&) override {
    ++updates;
    return {};
  }
  int updates = 0;
};

class Debug : public testing::Test {
 protected:
  conn::Response Get(std::string path, const char* from = "127.0.0.1:5", std::string authority = "localhost:15014",
                     const std::string& token = "") {
    conn::Request request;
    if (!token.empty()) request.head.headers.Add("authorization", "Bearer " + token);
    request.head.method = "GET";
    request.head.path = std::move(path);
    request.head.authority = std::move(authority);
    request.remote = *io::SocketAddress::Parse(from);
    return debug.Answer(request);
  }
  void ConnectProxy() {
    tokens.Replace({{.sha256_hex = HexEncode(AsBytes(tls::Sha256("t"))),
                     .pod_uid = "1",
                     .id = {"cluster.local", "default", "web"}}});
    const io::SocketAddress address = *http.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
    xds::Node node;
    node.id = "sidecar~10.244.0.5~web-0.default~default.svc.cluster.local";
    node.metadata_json =
        R"({"NAMESPACE":"default","SERVICE_ACCOUNT":"web","CLUSTER_ID":"Kubernetes","ISTIO_VERSION":"1.2.3"})";
    client = std::make_unique<xds::DeltaClient>(node, proxy);
    client->SubscribeAll(xds::type_url::kEndpoint);
    client->Subscribe(xds::type_url::kSecret, "gateway");
    stream = std::make_unique<xds::AdsStream>(loop, *client, [this, address]() -> Outcome<xds::AdsStream::Connection> {
      return xds::AdsStream::Connection{.stream = io::Connect(loop, address),
                                        .options = {.authority = "plaitd", .authorization = "Bearer t"}};
    });
    stream->Start();
    ASSERT_TRUE(loop.RunUntil(
        [&] {
          return metrics.Value("pilot_xds_pushes", {{"type", "eds"}}) > 0 &&
                 ads.clients().at(0).types.at(std::string(xds::type_url::kEndpoint)).synced();
        },
        kLimit));
  }

  io::Loop loop;
  FakeProvider provider;
  ca::TokenTable tokens;
  Metrics metrics;
  grpc::Server grpc{loop};
  AdsServer ads{loop, grpc, provider, tokens, metrics, {}};
  conn::HttpServer http{loop, {}, grpc};
  DebugEndpoints debug{ads, tokens, metrics, {.version = "0.1.0"}};
  Anything proxy;
  std::unique_ptr<xds::DeltaClient> client;
  std::unique_ptr<xds::AdsStream> stream;
};

TEST_F(Debug, IsReadyWhenTheConfigurationWasRead) {
  EXPECT_EQ(Get("/ready").status, 503);
  debug.SetReady(true);
  EXPECT_EQ(Get("/ready", "10.0.0.1:5").status, 200);
}

TEST_F(Debug, AnswersMetricsAndVersionToEveryone) {
  debug.BeforeScrape([](Metrics& m) { m.Set("pilot_services", {}, 4); });
  const auto response = Get("/metrics", "10.0.0.1:5", "plaitd.plait-system:15014");
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.body.find("pilot_services 4\n"), std::string::npos);
  EXPECT_NE(response.body.find("pilot_info{version=\"0.1.0\"} 1\n"), std::string::npos);
  EXPECT_EQ(Json::parse(Get("/version", "10.0.0.1:5").body).at("version"), "0.1.0");
}

TEST_F(Debug, OtherHostsNeedTheTokenOfASystemNamespace) {
  const auto entry = [](const char* token, const char* name_space) {
    return ca::TokenTable::Entry{.sha256_hex = HexEncode(AsBytes(tls::Sha256(token))),
                                 .pod_uid = token,
                                 .id = {"cluster.local", name_space, "kiali"}};
  };
  tokens.Replace({entry("system", "istio-system"), entry("other", "default")});
  const char* const kName = "plaitd.plait-system:15014";
  EXPECT_EQ(Get("/debug/syncz", "10.0.0.1:5", kName, "system").status, 200);
  EXPECT_EQ(Get("/debug/syncz", "10.0.0.1:5", kName, "other").status, 403);
  EXPECT_EQ(Get("/debug/syncz", "10.0.0.1:5", kName, "unknown").status, 401);
}

TEST_F(Debug, DebugPagesAreForThisHostOnly) {
  EXPECT_EQ(Get("/debug/syncz", "10.0.0.1:5").status, 401);
  EXPECT_EQ(Get("/debug/syncz", "127.0.0.1:5", "evil.example:15014").status, 403);
  EXPECT_EQ(Get("/debug/syncz", "[::1]:5", "[::1]:15014").status, 200);
  EXPECT_EQ(Get("/debug/nothing").status, 404);
}

TEST_F(Debug, ListsItsPagesAlsoThoseThatWereAdded) {
  debug.AddPage("/debug/mesh", "MeshConfig",
                [](const DebugEndpoints::Query& query) { return conn::TextResponse(200, query.at("a")); });
  EXPECT_NE(Get("/debug").body.find("/debug/mesh  MeshConfig\n"), std::string::npos);
  const Json names = Json::parse(Get("/debug/list").body);
  EXPECT_NE(std::find(names.begin(), names.end(), "mesh"), names.end());
  EXPECT_EQ(std::find(names.begin(), names.end(), "list"), names.end());
  EXPECT_EQ(Get("/debug/mesh?a=b%20c").body, "b c");
}

TEST_F(Debug, SynczTellsWhatWasSentAndAcknowledged) {
  ads.Ready();
  ConnectProxy();
  const Json proxies = Json::parse(Get("/debug/syncz").body);
  ASSERT_EQ(proxies.size(), 1U);
  EXPECT_EQ(proxies[0].at("proxy"), "web-0.default");
  EXPECT_EQ(proxies[0].at("proxy_type"), "sidecar");
  EXPECT_FALSE(proxies[0].contains("cluster_sent"));
  EXPECT_FALSE(proxies[0].at("endpoint_sent").get<std::string>().empty());
  EXPECT_EQ(proxies[0].at("endpoint_sent"), proxies[0].at("endpoint_acked"));
  EXPECT_TRUE(proxies[0].at("types").at("envoy.config.endpoint.v3.ClusterLoadAssignment").at("synced").get<bool>());
  EXPECT_EQ(Json::parse(Get("/debug/connections").body).at("totalClients"), 1);
  const Json watcher = Json::parse(Get("/debug/adsz").body).at("clients").at(0);
  EXPECT_EQ(watcher.at("metadata").at("SERVICE_ACCOUNT"), "web");
  EXPECT_EQ(watcher.at("watches").at(std::string(xds::type_url::kSecret)), Json({"gateway"}));
  EXPECT_EQ(watcher.at("watches").at(std::string(xds::type_url::kEndpoint)), Json({"*"}));
}

TEST_F(Debug, TellsStreamsOfOneProxyApart) {
  ads.Ready();
  const auto has = [this](const char* page, const std::string& number) {
    const Json clients = Json::parse(Get(page).body).at("clients");
    return std::any_of(clients.begin(), clients.end(), [&](const Json& one) {
      return one.at("connectionId") == "sidecar~10.244.0.5~web-0.default~default.svc.cluster.local-" + number;
    });
  };
  ConnectProxy();
  EXPECT_TRUE(has("/debug/adsz", "1"));
  ConnectProxy();
  EXPECT_TRUE(loop.RunUntil([&] { return has("/debug/adsz", "2") && has("/debug/connections", "2"); }, kLimit));
}

TEST_F(Debug, ConfigDumpShowsWhatAProxyHasWithoutKeys) {
  // Secret { name: "gateway" tls_certificate { private_key { inline_string: "KEY" } } }
  provider.Set(xds::type_url::kSecret, "gateway", "7", {},
               std::string("\x0a\x07gateway\x12\x07\x12\x05\x1a\x03KEY", 18));
  provider.Set(xds::type_url::kEndpoint, "a", "8", {}, "\xff not a message");
  ads.Ready();
  ConnectProxy();
  const auto response = Get("/debug/config_dump?proxyID=web-0.default");
  const Json dump = Json::parse(response.body);
  EXPECT_EQ(response.body.find("KEY"), std::string::npos) << response.body;
  ASSERT_EQ(dump.at("configs").size(), 2U);
  EXPECT_EQ(dump["configs"][0]["@type"], "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump");
  EXPECT_EQ(dump["configs"][0]["dynamic_endpoint_configs"][0]["version_info"], "8");
  EXPECT_EQ(dump["configs"][1]["dynamic_active_secrets"][0]["name"], "gateway");
  EXPECT_EQ(Json::parse(Get("/debug/edsz?proxyID=web-0.default").body).size(), 1U);
  EXPECT_EQ(Get("/debug/edsz?proxyID=other.default").status, 404);
  EXPECT_EQ(Get("/debug/edsz").status, 400);
  EXPECT_EQ(Get("/debug/config_dump?proxyID=other.default").status, 404);
  EXPECT_EQ(Get("/debug/config_dump").status, 400);
}

}  // namespace
}  // namespace plait::control::serve
