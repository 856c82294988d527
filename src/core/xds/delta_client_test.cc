#include "core/xds/delta_client.h"

#include <gtest/gtest.h>

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
