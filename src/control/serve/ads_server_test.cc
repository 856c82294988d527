// The server against the ADS client of the data plane, over sockets.
#include "control/serve/ads_server.h"

#include <gtest/gtest.h>

#include <optional>

#include "control/serve/fake_provider.h"
#include "control/serve/protobuf_log.h"
#include "control/serve/refusals.h"
#include "core/base/encoding.h"
#include "core/conn/http_server.h"
#include "core/tls/certificate.h"
#include "core/xds/ads_stream.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types
constexpr Duration kLimit = std::chrono::seconds(5);
const identity::SpiffeId kReviews{"cluster.local", "default", "bookinfo-reviews"};

xds::Node NodeOf(std::string pod = "reviews-v1-0.default", std::string name_space = "default",
                 std::string account = "bookinfo-reviews") {
  xds::Node node;
  node.id = "sidecar~10.244.0.5~" + pod + "~default.svc.cluster.local";
  node.metadata_json = R"({"NAMESPACE":")" + name_space + R"(","SERVICE_ACCOUNT":")" + account +
                       R"(","LABELS":{"app":"reviews"},"INSTANCE_IPS":"10.244.0.5,fd00::5"})";
  node.user_agent_name = "plait-proxy";
  return node;
}

struct Received : xds::Subscriber {
  std::vector<xds::Rejection> OnUpdate(const xds::Update& update) override {
    ++updates;
    for (const auto& resource : update.added) held[resource.name] = resource.version;
    for (const auto& name : update.removed) {
      held.erase(name);
      removed.push_back(name);
    }
    if (reject.empty()) return {};
    return {{.name = update.added.at(0).name, .reason = std::exchange(reject, "")}};
  }
  std::map<std::string, std::string> held;
  std::vector<std::string> removed;
  std::string reject;
  int updates = 0;
};

class Ads : public testing::Test {
 protected:
  explicit Ads(AdsOptions options = {}) : ads(loop, grpc, provider, tokens, metrics, std::move(options)) {
    address = *http->ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
    tokens.Replace({{.sha256_hex = HexEncode(AsBytes(tls::Sha256("secret"))), .pod_uid = "1", .id = kReviews}});
  }
  ~Ads() override { streams.clear(); }

  xds::AdsStream& Connect(xds::DeltaClient& client, std::string token = "secret") {
    streams.push_back(
        std::make_unique<xds::AdsStream>(loop, client, [this, token]() -> Outcome<xds::AdsStream::Connection> {
          return xds::AdsStream::Connection{.stream = io::Connect(loop, address),
                                            .options = {.authority = "plaitd", .authorization = "Bearer " + token}};
        }));
    streams.back()->Start();
    return *streams.back();
  }
  bool Wait(const std::function<bool()>& done) { return loop.RunUntil(done, kLimit); }

  io::Loop loop;
  FakeProvider provider;
  ca::TokenTable tokens;
  Metrics metrics;
  grpc::Server grpc{loop};
  AdsServer ads;
  std::unique_ptr<conn::HttpServer> http = std::make_unique<conn::HttpServer>(loop, conn::HttpServerOptions{}, grpc);
  io::SocketAddress address;
  std::vector<std::unique_ptr<xds::AdsStream>> streams;
};

TEST_F(Ads, PushesWhatChangedToAConnectedProxy) {
  ads.Ready();
  provider.Set(kListener, "virtualOutbound", "1");
  Received received;
  xds::DeltaClient client(NodeOf(), received);
  client.SubscribeAll(kListener);
  Connect(client);
  ASSERT_TRUE(Wait([&] { return received.held.contains("virtualOutbound"); }));
  EXPECT_EQ(client.control_plane(), "plaitd");

  provider.Set(kListener, "virtualInbound", "1");
  provider.Remove(kListener, "virtualOutbound");
  ads.ConfigChanged();
  ASSERT_TRUE(Wait([&] { return received.held.contains("virtualInbound"); }));
  EXPECT_EQ(received.removed, std::vector<std::string>{"virtualOutbound"});
  ASSERT_TRUE(Wait([&] { return metrics.Value("pilot_proxy_convergence_time") == 1; }));
  EXPECT_EQ(metrics.Value("pilot_xds_pushes", {{"type", "lds"}}), 2);

  const auto clients = ads.clients();
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].proxy->Key(), "reviews-v1-0.default");
  EXPECT_EQ(clients[0].proxy->ips.size(), 2U);
  EXPECT_EQ(clients[0].proxy->node.labels.at("app"), "reviews");
  EXPECT_TRUE(clients[0].types.at(std::string(kListener)).synced());
}

TEST_F(Ads, IsDialledAgainAsSoonAsTheClientIsTold) {
  Received received;
  xds::DeltaClient client(NodeOf(), received);
  int attempts = 0;
  // With the back-off of an Envoy so many take longer than a minute.
  xds::AdsStream stream(loop, client,
                        [&]() -> Outcome<xds::AdsStream::Connection> {
                          ++attempts;
                          return Explain(Errc::kUnavailable, "it is away");
                        },
                        {.first = std::chrono::milliseconds(1), .longest = std::chrono::milliseconds(10)});
  stream.Start();
  EXPECT_TRUE(Wait([&] { return attempts == 12; })) << attempts;
}

TEST_F(Ads, AnswersALookupByKeyAtOnce) {
  ads.Ready();
  provider.Set(kAddress, "uid", "1", {"/10.0.0.1"});
  Received received;
  xds::DeltaClient client(NodeOf(), received);
  client.Subscribe(kAddress, "/10.0.0.1");
  xds::AdsStream& stream = Connect(client);
  ASSERT_TRUE(Wait([&] { return received.held.contains("uid"); }));
  client.Subscribe(kAddress, "/192.0.2.1");
  stream.Flush();
  ASSERT_TRUE(Wait([&] { return !received.removed.empty(); }));
  EXPECT_EQ(received.removed, std::vector<std::string>{"/192.0.2.1"});
}

TEST_F(Ads, SaysNothingBeforeTheConfigurationWasRead) {
  Received received;
  xds::DeltaClient client(NodeOf(), received);
  client.Subscribe(kAddress, "/10.0.0.1");
  Connect(client);
  ASSERT_TRUE(Wait([&] { return ads.clients().size() == 1; }));
  loop.RunOnce(Duration{});
  EXPECT_EQ(received.updates, 0);
  provider.Set(kAddress, "uid", "1", {"/10.0.0.1"});
  ads.Ready();
  EXPECT_TRUE(Wait([&] { return received.held.contains("uid"); }));
  EXPECT_TRUE(received.removed.empty());
}

TEST_F(Ads, KeepsAndCountsARejection) {
  ads.Ready();
  provider.Set(kRoute, "80", "bad");
  Received received;
  received.reject = "no such cluster";
  xds::DeltaClient client(NodeOf(), received);
  client.Subscribe(kRoute, "80");
  Connect(client);
  ASSERT_TRUE(Wait([&] { return metrics.Value("pilot_total_xds_rejects", {{"type", "rds"}}) == 1; }));
  EXPECT_NE(ads.clients().at(0).types.at(std::string(kRoute)).last_error.find("no such cluster"), std::string::npos);
}

TEST_F(Ads, ARefusalEndsWithItsStream) {
  int told = 0;
  ads.OnRefusals([&] { ++told; });
  ads.Ready();
  provider.Set(kRoute, "80", "bad");
  Received received;
  received.reject = "no such cluster";
  xds::DeltaClient client(NodeOf(), received);
  client.Subscribe(kRoute, "80");
  Connect(client);
  ASSERT_TRUE(Wait([&] { return told == 1; }));
  EXPECT_EQ(RefusalsOf(ads.clients()).size(), 1U);
  streams.clear();
  ASSERT_TRUE(Wait([&] { return told == 2; }));
  EXPECT_TRUE(RefusalsOf(ads.clients()).empty());
}

TEST_F(Ads, SkipsTypesThatAChangeDoesNotTouch) {
  ads.Ready();
  provider.Set(kRoute, "80", "1");
  Received received;
  xds::DeltaClient client(NodeOf(), received);
  client.Subscribe(kRoute, "80");
  Connect(client);
  ASSERT_TRUE(Wait([&] { return received.held["80"] == "1"; }));
  provider.Set(kRoute, "80", "2");
  ads.ConfigChanged(Difference{.index = false, .hosts = {"other"}});
  loop.RunOnce(Duration{});
  ads.ConfigChanged();
  EXPECT_TRUE(Wait([&] { return received.held["80"] == "2"; }));
  EXPECT_EQ(received.updates, 2);
}

// A call that sends requests as they are given.
struct RawCall final : grpc::ClientCallEvents {
  RawCall(io::Loop& loop, const io::SocketAddress& to, std::string token = "Bearer secret",
          const char* method = xds::kDeltaAdsMethod)
      : channel(loop, io::Connect(loop, to), {.authority = "plaitd", .authorization = std::move(token)}),
        call(channel.Start(method, {}, *this)) {}
  void OnMessage(std::string message) override {
    ++messages;
    last = std::move(message);
  }
  void OnFinished(const grpc::Status& s, const grpc::Metadata&) override { status = s; }
  void Send(const xds::DeltaRequest& request) { call->Send(xds::EncodeDeltaRequest(request)); }
  void Send(const xds::DiscoveryRequest& request) { call->Send(xds::EncodeDiscoveryRequest(request)); }
  grpc::Channel channel;
  std::string last;
  std::optional<grpc::Status> status;
  int messages = 0;
  std::unique_ptr<grpc::ClientCall> call;
};

TEST_F(Ads, RefusesCallersThatItDoesNotKnow) {
  for (const char* token : {"", "Bearer wrong", "secret"}) {
    RawCall call(loop, address, token);
    ASSERT_TRUE(Wait([&] { return call.status.has_value(); }));
    EXPECT_EQ(call.status->code, grpc::Code::kUnauthenticated) << token;
  }
  EXPECT_EQ(metrics.Value("pilot_xds_streams_refused"), 3);
}

TEST_F(Ads, RefusesAForgedNodeInEitherForm) {
  ads.Ready();
  provider.Set(kListener, "virtualInbound", "1");
  xds::Node unclaimed = NodeOf();
  unclaimed.metadata_json.clear();
  xds::Node broken = NodeOf();
  broken.id = "reviews";
  const std::pair<xds::Node, grpc::Code> nodes[] = {
      {NodeOf("ratings-v1-0.other", "other"), grpc::Code::kPermissionDenied},
      {NodeOf("reviews-v1-0.default", "other"), grpc::Code::kPermissionDenied},
      {NodeOf("reviews-v1-0.default", "default", "bookinfo-ratings"), grpc::Code::kPermissionDenied},
      {unclaimed, grpc::Code::kPermissionDenied},
      {broken, grpc::Code::kInvalidArgument},
      {NodeOf("reviews\n2026-01-01T00:00:00Z\terror\tads\tforged.default"), grpc::Code::kInvalidArgument},
      {NodeOf("reviews\xc2\x9b.default"), grpc::Code::kInvalidArgument},
      {NodeOf(std::string(1100, 'a') + ".default"), grpc::Code::kInvalidArgument},
  };
  for (const auto& [node, code] : nodes) {
    RawCall call(loop, address);
    call.Send(xds::DeltaRequest{.node = node, .type_url = std::string(kListener)});
    RawCall world(loop, address, "Bearer secret", xds::kAdsMethod);
    world.Send(xds::DiscoveryRequest{.node = node, .type_url = std::string(kListener)});
    for (const RawCall* one : {&call, &world}) {
      ASSERT_TRUE(Wait([&] { return one->status.has_value(); }));
      EXPECT_EQ(one->status->code, code) << one->status->message;
      EXPECT_EQ(one->messages, 0);
    }
  }
}

TEST_F(Ads, RefusesTypesThatNobodyServesAndStreamsWithoutNode) {
  ads.Ready();
  RawCall unknown(loop, address);
  unknown.Send(xds::DeltaRequest{.node = NodeOf(), .type_url = "example.com/Nothing"});
  ASSERT_TRUE(Wait([&] { return unknown.status.has_value(); }));
  EXPECT_EQ(unknown.status->message, "type example.com/Nothing is not served");
  RawCall endless(loop, address);
  endless.Send(xds::DeltaRequest{.node = NodeOf(), .type_url = std::string(1000, 'x')});
  ASSERT_TRUE(Wait([&] { return endless.status.has_value(); }));
  EXPECT_EQ(endless.status->message, "type " + std::string(256, 'x') + "... is not served");
  RawCall nameless(loop, address);
  nameless.Send(xds::DeltaRequest{.type_url = std::string(kListener)});
  ASSERT_TRUE(Wait([&] { return nameless.status.has_value(); }));
  EXPECT_EQ(nameless.status->code, grpc::Code::kInvalidArgument);
}

class ImpatientAds : public Ads {
 protected:
  ImpatientAds() : Ads({.answer_timeout = std::chrono::milliseconds(300)}) {}
};

TEST_F(ImpatientAds, EndsAStreamThatAnswersNothing) {
  ads.Ready();
  RawCall call(loop, address);
  call.Send(xds::DeltaRequest{.node = NodeOf(), .type_url = std::string(kListener)});
  ASSERT_TRUE(Wait([&] { return call.status.has_value(); }));
  EXPECT_EQ(call.status->code, grpc::Code::kUnavailable);
  EXPECT_EQ(metrics.Value("pilot_xds_write_timeout"), 1);
  EXPECT_TRUE(Wait([&] { return ads.clients().empty(); }));
}

TEST_F(Ads, ServesTheStateOfTheWorldToThoseWhoAskForIt) {
  ads.Ready();
  provider.Set(kListener, "a", "1", {}, "first");
  RawCall call(loop, address, "Bearer secret", xds::kAdsMethod);
  call.Send(xds::DiscoveryRequest{.node = NodeOf(), .type_url = std::string(kListener)});
  ASSERT_TRUE(Wait([&] { return call.messages == 1; }));
  auto response = xds::DecodeDiscoveryResponse(call.last);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->resources, std::vector<std::string>{"first"});
  EXPECT_EQ(response->control_plane, "plaitd");
  call.Send(xds::DiscoveryRequest{
      .type_url = std::string(kListener), .version = response->version, .response_nonce = response->nonce});
  ASSERT_TRUE(Wait([&] { return ads.clients().at(0).types.at(std::string(kListener)).synced(); }));
  EXPECT_EQ(ads.clients().at(0).form, "sotw");
  EXPECT_EQ(metrics.Value("pilot_xds", {{"version", "sotw"}}), 1);

  provider.Set(kListener, "a", "2", {}, "second");
  ads.ConfigChanged();
  ASSERT_TRUE(Wait([&] { return call.messages == 2; }));
  response = xds::DecodeDiscoveryResponse(call.last);
  EXPECT_EQ(response->resources, std::vector<std::string>{"second"});
  call.Send(xds::DiscoveryRequest{
      .type_url = std::string(kListener), .response_nonce = response->nonce, .error = "not like this"});
  EXPECT_TRUE(Wait([&] { return metrics.Value("pilot_total_xds_rejects", {{"type", "lds"}}) == 1; }));
  EXPECT_EQ(ads.ResourcesOf("reviews-v1-0.default", kListener)->size(), 1U);
}

TEST_F(Ads, KeepsTheBeginningOfAnEndlessReason) {
  ads.Ready();
  provider.Set(kListener, "a", "1");
  for (const char* method : {xds::kDeltaAdsMethod, xds::kAdsMethod}) {
    RawCall call(loop, address, "Bearer secret", method);
    const std::string why(100'000, 'x');
    const std::string type(kListener);
    const bool delta = method == xds::kDeltaAdsMethod;
    delta ? call.Send(xds::DeltaRequest{.node = NodeOf(), .type_url = type})
          : call.Send(xds::DiscoveryRequest{.node = NodeOf(), .type_url = type});
    ASSERT_TRUE(Wait([&] { return call.messages == 1; }));
    delta ? call.Send(xds::DeltaRequest{.type_url = type, .response_nonce = "1", .error = why})
          : call.Send(xds::DiscoveryRequest{.type_url = type, .response_nonce = "1", .error = why});
    const auto error = [&] { return ads.clients().back().types.at(type).last_error; };
    ASSERT_TRUE(Wait([&] { return !error().empty(); }));
    EXPECT_EQ(error(), why.substr(0, 4096) + "...");
  }
}

TEST_F(Ads, SaysInTheLogWhatProtobufHasToSay) {
  LogProtobuf();
  ads.Ready();
  RawCall call(loop, address);
  testing::internal::CaptureStderr();
  call.Send(xds::DeltaRequest{.node = NodeOf(), .type_url = std::string(kListener), .error = "\xff"});
  const bool ended = Wait([&] { return call.status.has_value(); });
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(ended);
  EXPECT_EQ(call.status->code, grpc::Code::kInvalidArgument);
  EXPECT_EQ(log.find("[libprotobuf"), std::string::npos) << log;
  EXPECT_NE(log.find("\tprotobuf\t"), std::string::npos) << log;
}

TEST_F(Ads, EndsAStreamWhoseRequestsAreNoMessages) {
  ads.Ready();
  for (const char* method : {xds::kAdsMethod, xds::kDeltaAdsMethod}) {
    RawCall call(loop, address, "Bearer secret", method);
    call.call->Send("\xff\xff\xff");
    ASSERT_TRUE(Wait([&] { return call.status.has_value(); }));
    EXPECT_EQ(call.status->code, grpc::Code::kInvalidArgument);
  }
  EXPECT_EQ(metrics.Value("pilot_total_xds_internal_errors"), 2);
}

TEST_F(Ads, StreamsEndWithTheServer) {
  auto own = std::make_unique<grpc::Server>(loop);
  auto server = std::make_unique<AdsServer>(loop, *own, provider, tokens, metrics, AdsOptions{});
  conn::HttpServer transport(loop, {}, *own);
  address = *transport.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  RawCall call(loop, address);
  call.Send(xds::DeltaRequest{.node = NodeOf(), .type_url = std::string(kListener)});
  ASSERT_TRUE(Wait([&] { return server->clients().size() == 1; }));
  server.reset();
  ASSERT_TRUE(Wait([&] { return call.status.has_value(); }));
  EXPECT_EQ(call.status->code, grpc::Code::kUnavailable);
}

TEST_F(Ads, PushesToManyProxies) {
  ads.Ready();
  provider.Set(kListener, "a", "1");
  std::vector<std::unique_ptr<Received>> received;
  std::vector<std::unique_ptr<xds::DeltaClient>> clients;
  for (int i = 0; i < 40; ++i) {
    received.push_back(std::make_unique<Received>());
    clients.push_back(
        std::make_unique<xds::DeltaClient>(NodeOf("reviews-" + std::to_string(i) + ".default"), *received.back()));
    clients.back()->SubscribeAll(kListener);
    Connect(*clients.back());
  }
  const auto all_have = [&](const std::string& version) {
    return Wait([&] {
      return std::all_of(received.begin(), received.end(), [&](auto& r) { return r->held["a"] == version; });
    });
  };
  ASSERT_TRUE(all_have("1"));
  provider.Set(kListener, "a", "2");
  ads.ConfigChanged();
  EXPECT_TRUE(all_have("2"));
  EXPECT_EQ(metrics.Value("pilot_xds", {{"version", "delta"}}), 40);
}

}  // namespace
}  // namespace plait::control::serve
