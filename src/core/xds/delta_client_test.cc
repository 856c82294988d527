#include "core/xds/delta_client.h"

#include <gtest/gtest.h>

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace plait::xds {
namespace {
constexpr std::string_view kRds = "rds";
constexpr std::string_view kCds = "cds";

class FakeSubscriber final : public Subscriber {
 public:
  std::vector<Rejection> OnUpdate(const Update& update) override {
    std::vector<Rejection> out;
    for (const WireResource& resource : update.added) {
      if (resource.bytes == "bad")
        out.push_back({resource.name, resource.name + ": bad"});
      else
        have[resource.name] = resource.bytes;
    }
    for (const std::string& name : update.removed) {
      have.erase(name);
      gone.push_back(name);
    }
    return out;
  }
  std::map<std::string, std::string> have;
  std::vector<std::string> gone;
};

class DeltaClientTest : public ::testing::Test {
 protected:
  FakeSubscriber subscriber;
  DeltaClient client{Node{.id = "sidecar~1"}, subscriber};
  static DeltaResponse Response(std::string_view type, std::vector<WireResource> resources,
                                std::vector<std::string> removed = {}, std::string nonce = "n") {
    return {.type_url = std::string(type),
            .nonce = std::move(nonce),
            .system_version = "1",
            .control_plane = "plaitd",
            .resources = std::move(resources),
            .removed = std::move(removed)};
  }
};

TEST_F(DeltaClientTest, SaysNothingOfATypeBeforeItHasAName) {
  client.Unsubscribe(kRds, "80");
  client.OnStreamOpen();
  EXPECT_TRUE(client.TakeRequests().empty());
  client.Subscribe(kRds, "80");
  const auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].subscribe, std::vector<std::string>{"80"});
  EXPECT_EQ(requests[0].node->id, "sidecar~1");
  EXPECT_TRUE(client.TakeRequests().empty());
}

TEST_F(DeltaClientTest, SendsTheNodeOnceAStream) {
  client.SubscribeAll(kCds);
  client.Subscribe(kRds, "80");
  client.OnStreamOpen();
  const auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_TRUE(requests[0].node);
  EXPECT_FALSE(requests[1].node);
  EXPECT_EQ(requests[0].subscribe, std::vector<std::string>{"*"});
}

TEST_F(DeltaClientTest, AcknowledgesWithTheNonceAndRemembersVersions) {
  client.Subscribe(kRds, "80");
  client.OnStreamOpen();
  client.TakeRequests();
  client.OnResponse(Response(kRds, {{.name = "80", .version = "v1", .aliases = {}, .bytes = "routes"}}));
  const auto ack = client.TakeRequests();
  ASSERT_EQ(ack.size(), 1u);
  EXPECT_EQ(ack[0].response_nonce, "n");
  EXPECT_FALSE(ack[0].error);
  EXPECT_EQ(subscriber.have["80"], "routes");
  EXPECT_EQ(client.control_plane(), "plaitd");
}

TEST_F(DeltaClientTest, ANackNamesTheBadResourceAndKeepsItsLastGoodVersion) {
  client.Subscribe(kRds, "80");
  client.Subscribe(kRds, "90");
  client.OnStreamOpen();
  client.TakeRequests();
  client.OnResponse(Response(kRds, {{.name = "80", .version = "v1", .aliases = {}, .bytes = "good"}}));
  client.TakeRequests();
  client.OnResponse(Response(kRds,
                             {{.name = "80", .version = "v2", .aliases = {}, .bytes = "bad"},
                              {.name = "90", .version = "v2", .aliases = {}, .bytes = "good"}},
                             {}, "n2"));
  const auto nack = client.TakeRequests();
  ASSERT_EQ(nack.size(), 1u);
  EXPECT_EQ(nack[0].response_nonce, "n2");
  EXPECT_EQ(nack[0].error, "80: bad");
  client.OnStreamLost();
  client.OnStreamOpen();
  const auto again = client.TakeRequests();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].initial_versions, (std::map<std::string, std::string>{{"80", "v1"}, {"90", "v2"}}));
  EXPECT_EQ(client.status().at("rds").rejections, 1u);
}

TEST_F(DeltaClientTest, KeepsEverythingWhileTheStreamIsLost) {
  client.Subscribe(kRds, "80");
  client.OnStreamOpen();
  client.TakeRequests();
  client.OnResponse(Response(kRds, {{.name = "80", .version = "v1", .aliases = {}, .bytes = "routes"}}));
  client.OnStreamLost();
  EXPECT_TRUE(client.TakeRequests().empty());
  EXPECT_EQ(subscriber.have.size(), 1u);
  EXPECT_TRUE(subscriber.gone.empty());
  client.Subscribe(kRds, "81");
  client.OnStreamOpen();
  const auto again = client.TakeRequests();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].subscribe, (std::vector<std::string>{"80", "81"}));
  EXPECT_TRUE(again[0].node);
}

TEST_F(DeltaClientTest, TellsNamesThatAreNotThere) {
  client.Subscribe(kRds, "4711");
  client.OnStreamOpen();
  client.TakeRequests();
  client.OnResponse(Response(kRds, {}, {"4711"}));
  EXPECT_EQ(subscriber.gone, std::vector<std::string>{"4711"});
}

TEST_F(DeltaClientTest, UnsubscribesWhatWasSentAndForgetsItsVersion) {
  client.Subscribe(kRds, "80");
  client.OnStreamOpen();
  client.TakeRequests();
  client.OnResponse(Response(kRds, {{.name = "80", .version = "v1", .aliases = {}, .bytes = "x"}}));
  client.TakeRequests();
  client.Unsubscribe(kRds, "80");
  const auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].unsubscribe, std::vector<std::string>{"80"});
  client.OnStreamOpen();
  EXPECT_TRUE(client.TakeRequests().empty());
}

TEST_F(DeltaClientTest, AsksAgainForANameThatWasGivenUpAndIsWantedBeforeTheNextRequest) {
  client.Subscribe(kRds, "80");
  client.OnStreamOpen();
  client.TakeRequests();
  client.Subscribe(kRds, "80");
  EXPECT_TRUE(client.TakeRequests().empty()) << "it is asked for already";
  client.Unsubscribe(kRds, "80");
  client.Subscribe(kRds, "80");
  const auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].subscribe, std::vector<std::string>{"80"});
  EXPECT_TRUE(requests[0].unsubscribe.empty());
  EXPECT_TRUE(client.TakeRequests().empty());
}

TEST_F(DeltaClientTest, RefusesABodyOfAnotherTypeByName) {
  client.SubscribeAll(kCds);
  client.OnStreamOpen();
  (void)client.TakeRequests();
  DeltaResponse response = Response(kCds, {{"good", "1", {}, "x"}});
  response.foreign = {{"bad", "rds"}};
  client.OnResponse(response);
  const auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].error, "bad: it is of type 'rds' in a response of cds");
  EXPECT_TRUE(subscriber.have.contains("good"));
}

TEST_F(DeltaClientTest, AcknowledgesAHeartbeatOfWhatItHas) {
  client.SubscribeAll(kCds);
  client.OnStreamOpen();
  (void)client.TakeRequests();
  client.OnResponse(Response(kCds, {{"a", "1", {}, "x"}}));
  (void)client.TakeRequests();
  DeltaResponse heartbeat = Response(kCds, {});
  heartbeat.heartbeats = {{"a", "1"}};
  client.OnResponse(heartbeat);
  auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].error, std::nullopt);
  heartbeat.heartbeats = {{"a", "2"}};
  client.OnResponse(heartbeat);
  requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].error, "a: it has no content, and version '2' is not the one held");
  EXPECT_EQ(subscriber.have.at("a"), "x");
}

TEST_F(DeltaClientTest, TellsThatAResourceIsGoneWhenItsLifeEndsUnlessItIsRenewed) {
  using std::chrono::seconds;
  client.SubscribeAll(kCds);
  client.OnStreamOpen();
  const MonotonicTime start{};
  DeltaResponse brought = Response(kCds, {{"a", "1", {}, "x"}, {"b", "1", {}, "y"}, {"c", "1", {}, "z"}});
  brought.ttls = {{"a", seconds(10)}, {"b", seconds(10)}};
  client.OnResponse(brought, start);
  EXPECT_EQ(client.NextEnd(), start + seconds(10));
  DeltaResponse heartbeat = Response(kCds, {});
  heartbeat.heartbeats = {{"a", "1"}};
  heartbeat.ttls = {{"a", seconds(20)}};
  client.OnResponse(heartbeat, start + seconds(5));
  client.OnStreamLost();
  client.EndLives(start + seconds(9));
  EXPECT_TRUE(subscriber.gone.empty());
  client.EndLives(start + seconds(10));
  EXPECT_EQ(subscriber.gone, std::vector<std::string>{"b"});
  EXPECT_EQ(client.NextEnd(), start + seconds(25));
  client.EndLives(start + seconds(25));
  EXPECT_EQ(subscriber.gone, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(client.NextEnd(), std::nullopt);
  client.OnStreamOpen();
  const auto requests = client.TakeRequests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].initial_versions, (std::map<std::string, std::string>{{"c", "1"}}));
}

TEST_F(DeltaClientTest, AResourceThatComesWithoutATtlLivesOn) {
  client.SubscribeAll(kCds);
  client.OnStreamOpen();
  DeltaResponse brought = Response(kCds, {{"a", "1", {}, "x"}});
  brought.ttls = {{"a", std::chrono::seconds(10)}};
  client.OnResponse(brought);
  client.OnResponse(Response(kCds, {{"a", "2", {}, "x"}}));
  EXPECT_EQ(client.NextEnd(), std::nullopt);
}

TEST(Discovery, MessagesSurviveTheWire) {
  DeltaRequest request{
      .node =
          Node{.id = "id", .cluster = "c", .metadata_json = "{\"NAMESPACE\":\"default\",\"LABELS\":{\"app\":\"a\"}}"},
      .type_url = "t",
      .subscribe = {"a", "*"},
      .unsubscribe = {"b"},
      .initial_versions = {{"x", "1"}},
      .response_nonce = "n",
      .error = "why"};
  const auto decoded = DecodeDeltaRequest(EncodeDeltaRequest(request));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->node->metadata.at("NAMESPACE"), "default");
  EXPECT_EQ(decoded->node->labels.at("app"), "a");
  EXPECT_EQ(decoded->subscribe, request.subscribe);
  EXPECT_EQ(decoded->initial_versions, request.initial_versions);
  EXPECT_EQ(decoded->error, "why");
  const DeltaResponse response{.type_url = "t",
                               .nonce = "n",
                               .system_version = "3",
                               .control_plane = "plaitd",
                               .resources = {{.name = "a", .version = "1", .aliases = {"b"}, .bytes = "raw"}},
                               .removed = {"gone"}};
  EXPECT_EQ(*DecodeDeltaResponse(EncodeDeltaResponse(response)), response);
  const SharedDeltaResponse shared{.type_url = "t",
                                   .nonce = "n",
                                   .system_version = "3",
                                   .control_plane = "plaitd",
                                   .resources = {std::make_shared<WireResource>(response.resources[0])},
                                   .removed = {"gone"}};
  EXPECT_EQ(EncodeDeltaResponse(shared), EncodeDeltaResponse(response));
  EXPECT_FALSE(DecodeDeltaRequest("\xff\xff\xff"));
}

TEST(Discovery, ADeltaResponseOfAnySizeIsWhatProtobufReads) {
  for (const std::size_t size : {0U, 1U, 127U, 128U, 16'383U, 16'384U, 3'000'000U}) {
    const std::string text(size, 'x');
    const DeltaResponse response{
        .type_url = text,
        .nonce = text,
        .system_version = text,
        .control_plane = text,
        .resources = {{}, {.name = text, .version = text, .aliases = {text, ""}, .bytes = text}},
        .removed = {"", text}};
    const auto decoded = DecodeDeltaResponse(EncodeDeltaResponse(response));
    ASSERT_TRUE(decoded) << size;
    EXPECT_TRUE(*decoded == response) << size;
  }
}

TEST(Discovery, ADeltaResponseTellsHeartbeatsForeignBodiesAndLivesApart) {
  envoy::service::discovery::v3::DeltaDiscoveryResponse out;
  out.set_type_url("type");
  auto& heartbeat = *out.add_resources();
  heartbeat.set_name("a");
  heartbeat.set_version("1");
  heartbeat.mutable_ttl()->set_seconds(30);
  auto& foreign = *out.add_resources();
  foreign.set_name("b");
  foreign.mutable_resource()->set_type_url("other");
  auto& changed = *out.add_resources();
  changed.set_name("c");
  changed.mutable_resource()->set_type_url("type");
  changed.mutable_ttl()->set_seconds(-1);
  const auto response = DecodeDeltaResponse(out.SerializeAsString());
  ASSERT_TRUE(response.has_value()) << response.error().detail;
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(response->heartbeats, (Pairs{{"a", "1"}}));
  EXPECT_EQ(response->foreign, (Pairs{{"b", "other"}}));
  ASSERT_EQ(response->resources.size(), 1U);
  EXPECT_EQ(response->resources[0].name, "c");
  ASSERT_EQ(response->ttls.size(), 2U);
  EXPECT_EQ(response->ttls[0], std::pair(std::string("a"), Duration(std::chrono::seconds(30))));
  EXPECT_GT(response->ttls[1].second, std::chrono::hours(24 * 365)) << "what is no duration takes nothing away";
}

TEST(Discovery, MessagesOfTheStateOfTheWorldSurviveTheWire) {
  const DiscoveryRequest request{
      .type_url = "t", .version = "3", .names = {"a", "*"}, .response_nonce = "n", .error = "why"};
  EXPECT_EQ(*DecodeDiscoveryRequest(EncodeDiscoveryRequest(request)), request);
  const DiscoveryResponse response{
      .type_url = "t", .version = "3", .nonce = "n", .control_plane = "plaitd", .resources = {"raw", ""}};
  EXPECT_EQ(*DecodeDiscoveryResponse(EncodeDiscoveryResponse(response)), response);
  EXPECT_FALSE(DecodeDiscoveryRequest("\xff\xff\xff"));
  EXPECT_FALSE(DecodeDiscoveryResponse("\xff\xff\xff"));
}

}  // namespace
}  // namespace plait::xds
