#include "control/serve/sotw_session.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "control/serve/fake_provider.h"
#include "control/serve/replacing_envoy.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types
using Names = std::vector<std::string>;
using Responses = std::vector<xds::DiscoveryResponse>;

// A client that keeps what it wants and what it last heard of each type, as Envoy does.
struct Client {
  Responses Send(std::string_view type, std::string nonce, std::optional<std::string> error = {}) {
    reply = session.OnRequest({.type_url = std::string(type),
                               .names = wants[type],
                               .response_nonce = std::move(nonce),
                               .error = std::move(error)});
    EXPECT_TRUE(reply);
    return Take();
  }
  Responses Take() {
    Responses out = session.Take(provider, proxy);
    for (const auto& response : out) heard[response.type_url] = response.nonce;
    return out;
  }
  // A request of its own, with the newest nonce that it knows.
  Responses Subscribe(std::string_view type, Names names) {
    wants[type] = std::move(names);
    return Send(type, heard[std::string(type)]);
  }
  Responses Ack(const xds::DiscoveryResponse& response) { return Send(response.type_url, response.nonce); }
  // Acknowledges until nothing more comes; everything that came.
  Responses Settle(Responses responses) {
    for (std::size_t i = 0; i < responses.size(); ++i) {
      auto more = Ack(xds::DiscoveryResponse(responses[i]));
      responses.insert(responses.end(), more.begin(), more.end());
    }
    return responses;
  }
  Responses Change(const Difference& difference = {}) {
    session.OnConfigChanged(difference, proxy);
    return Take();
  }
  void Set(std::string_view type, const std::string& name, const std::string& version) {
    provider.Set(type, name, version, {}, name + "@" + version);
  }

  FakeProvider provider;
  Proxy proxy;
  SotwSession session;
  Result<Reply> reply = Reply::kNone;
  std::map<std::string_view, Names> wants;
  std::map<std::string, std::string> heard;
};

TEST(SotwSession, AFirstRequestWithoutNamesIsAWildcardOfListenersAndClusters) {
  for (const std::string_view type : {kListener, kCluster}) {
    Client client;
    client.Set(type, "a", "1");
    client.Set(type, "b", "1");
    const auto responses = client.Settle(client.Subscribe(type, {}));
    ASSERT_EQ(responses.size(), 1U);
    EXPECT_EQ(responses[0].resources, (Names{"a@1", "b@1"}));
    EXPECT_FALSE(responses[0].nonce.empty());
    EXPECT_EQ(responses[0].version, "v1");
    EXPECT_TRUE(client.session.status().at(std::string(type)).synced());
  }
}

TEST(SotwSession, OtherTypesHaveNoWildcard) {
  Client client;
  client.Set(kRoute, "80", "1");
  EXPECT_TRUE(client.Subscribe(kRoute, {}).empty());
  const auto responses = client.Subscribe(kRoute, {"80"});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].resources, Names{"80@1"});
}

TEST(SotwSession, AWildcardOfNothingIsAnswered) {
  Client client;
  const auto responses = client.Settle(client.Subscribe(kCluster, {}));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_TRUE(responses[0].resources.empty());
}

TEST(SotwSession, NoNamesAfterNamesEndTheSubscription) {
  Client client;
  client.Set(kCluster, "a", "1");
  client.Set(kCluster, "b", "1");
  auto responses = client.Settle(client.Subscribe(kCluster, {"a"}));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].resources, Names{"a@1"});
  client.Settle(client.Subscribe(kCluster, {}));
  client.Set(kCluster, "a", "2");
  EXPECT_TRUE(client.Change().empty() || client.Change().at(0).resources.empty());
  responses = client.Subscribe(kCluster, {"*"});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].resources, (Names{"a@2", "b@1"}));
}

TEST(SotwSession, AChangeSendsAllListenersButOnlyTheRoutesThatChanged) {
  Client client;
  for (const std::string_view type : {kListener, kRoute})
    for (const char* name : {"a", "b"}) client.Set(type, name, "1");
  client.Settle(client.Subscribe(kListener, {}));
  client.Settle(client.Subscribe(kRoute, {"a", "b"}));
  client.Set(kListener, "b", "2");
  client.Set(kRoute, "b", "2");
  const auto responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 2U);
  EXPECT_EQ(responses[0].resources, (Names{"a@1", "b@2"}));
  EXPECT_EQ(responses[1].resources, Names{"b@2"});
  EXPECT_TRUE(client.Change().empty());
}

TEST(SotwSession, ANewNameIsAnsweredByItself) {
  Client client;
  client.Set(kEndpoint, "a", "1");
  client.Set(kEndpoint, "b", "1");
  client.Settle(client.Subscribe(kEndpoint, {"a"}));
  const auto responses = client.Settle(client.Subscribe(kEndpoint, {"a", "b", "nothing"}));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].resources, Names{"b@1"});
  client.Settle(client.Subscribe(kEndpoint, {"a"}));
  EXPECT_EQ(client.Settle(client.Subscribe(kEndpoint, {"a", "b"})).at(0).resources, Names{"b@1"}) << "it was dropped";
}

TEST(SotwSession, ARequestWithAnOldNonceIsIgnored) {
  Client client;
  client.Set(kRoute, "80", "1");
  const auto first = client.Settle(client.Subscribe(kRoute, {"80"}));
  client.Set(kRoute, "80", "2");
  const auto second = client.Change();
  ASSERT_EQ(second.size(), 1U);
  client.wants[kRoute] = {"80", "90"};
  EXPECT_TRUE(client.Send(kRoute, first[0].nonce).empty());
  EXPECT_EQ(*client.reply, Reply::kExpiredNonce);
  EXPECT_TRUE(client.session.has_unacknowledged());
  client.Set(kRoute, "90", "1");
  const auto third = client.Ack(second[0]);  // says the new name, too
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(third[0].resources, Names{"90@1"});
}

TEST(SotwSession, ANonceOfAnEarlierStreamDoesNotHideTheFirstRequest) {
  Client client;
  client.Set(kListener, "a", "1");
  EXPECT_EQ(client.Send(kListener, "17").size(), 1U);
  EXPECT_TRUE(client.Send(kListener, "17").empty()) << "nor is it an acknowledgement";
  EXPECT_TRUE(client.session.has_unacknowledged());
}

TEST(SotwSession, ARejectionIsKeptForPeopleAndNotSentAgain) {
  Client client;
  client.Set(kRoute, "80", "bad");
  const auto responses = client.Subscribe(kRoute, {"80"});
  EXPECT_TRUE(client.Send(kRoute, responses.at(0).nonce, "no such cluster").empty());
  EXPECT_EQ(*client.reply, Reply::kNack);
  EXPECT_TRUE(client.Change().empty());
  EXPECT_EQ(client.session.status().at(std::string(kRoute)).last_error, "no such cluster");
  client.Set(kRoute, "80", "good");
  client.Settle(client.Change());
  EXPECT_TRUE(client.session.status().at(std::string(kRoute)).synced());
}

TEST(SotwSession, ChangesWaitForTheAcknowledgementAndAreThenSentOnce) {
  Client client;
  client.Set(kRoute, "80", "1");
  const auto first = client.Subscribe(kRoute, {"80"});
  for (const char* version : {"2", "3"}) {
    client.Set(kRoute, "80", version);
    EXPECT_TRUE(client.Change().empty());
  }
  const auto second = client.Ack(first.at(0));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].resources, Names{"80@3"});
  EXPECT_TRUE(client.Ack(second[0]).empty());
}

TEST(SotwSession, ARepeatedRequestGetsEverythingAgain) {
  Client client;
  client.Set(kRoute, "80", "1");
  client.Settle(client.Subscribe(kRoute, {"80"}));
  const auto again = client.Subscribe(kRoute, {"80"});
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].resources, Names{"80@1"});
  EXPECT_TRUE(client.Ack(again[0]).empty());
}

// Envoy keeps a changed cluster out of use until endpoints come after it.
TEST(SotwSession, EndpointsFollowChangedClusters) {
  Client client;
  client.Set(kCluster, "a", "1");
  client.Set(kEndpoint, "a", "1");
  client.Settle(client.Subscribe(kCluster, {}));
  client.Settle(client.Subscribe(kEndpoint, {"a"}));
  client.Set(kCluster, "a", "2");
  const auto responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 2U);
  EXPECT_EQ(responses[0].resources, Names{"a@2"});
  EXPECT_EQ(responses[1].resources, Names{"a@1"});
}

TEST(SotwSession, AClusterIsRemovedAfterTheRouteThatUsedItWasChanged) {
  Client client;
  client.proxy.plait_form = true;
  client.Set(kCluster, "old", "1");
  client.Set(kRoute, "80", "to old");
  client.Settle(client.Subscribe(kCluster, {}));
  client.Settle(client.Subscribe(kRoute, {"80"}));
  client.provider.Remove(kCluster, "old");
  client.Set(kCluster, "new", "1");
  client.Set(kRoute, "80", "to new");
  const auto first = client.Change();
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].resources, (Names{"new@1", "old@1"}));
  EXPECT_TRUE(client.Ack(first[0]).empty()) << "the cluster is taken, the route is not yet";
  const auto second = client.Ack(first[1]);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].resources, Names{"new@1"});
  EXPECT_TRUE(client.Ack(second[0]).empty());
}

TEST(SotwSession, AClusterStaysAsLongAsARouteThatLeavesItIsRefused) {
  for (const bool mended : {true, false}) {
    Client client;
    client.proxy.plait_form = true;
    client.Set(kCluster, "new", "1");
    client.Set(kCluster, "old", "1");
    client.Set(kRoute, "80", "to old");
    client.Settle(client.Subscribe(kCluster, {}));
    client.Settle(client.Subscribe(kRoute, {"80"}));
    client.provider.Remove(kCluster, "old");
    client.Set(kRoute, "80", "bad");
    const auto routes = client.Change();
    ASSERT_EQ(routes.size(), 1U);
    EXPECT_TRUE(client.Send(kRoute, routes[0].nonce, "no").empty()) << "the route to it is in force";
    client.Set(kRoute, "80", "good");
    const auto next = mended ? client.Change() : client.Subscribe(kRoute, {});
    ASSERT_EQ(next.size(), 1U);
    const auto removals = mended ? client.Ack(next[0]) : next;
    ASSERT_EQ(removals.size(), 1U) << "neither a route that is taken nor one that is given up leads to it";
    EXPECT_EQ(removals[0].resources, Names{"new@1"});
  }
}

using Envoy = ReplacingEnvoy<Client>;

TEST(SotwSession, ARouteGoesToAnEnvoyOnceANewClusterIsWarm) {
  Envoy client;
  const auto clusters = client.Replace("old", "new");
  ASSERT_EQ(clusters.size(), 1U);
  EXPECT_EQ(clusters[0].resources, (Names{"new@1", "old@1"}));
  const auto endpoints = client.Subscribe(kEndpoint, {"new", "old"});
  ASSERT_EQ(endpoints.size(), 1U);
  EXPECT_EQ(endpoints[0].type_url, kEndpoint);
  EXPECT_TRUE(client.Ack(endpoints[0]).empty()) << "what it waits for beside them, nobody knows";
  const auto routes = client.Ack(clusters[0]);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0].resources, Names{"80@to new"});
  const auto removal = client.Ack(routes[0]);
  ASSERT_EQ(removal.size(), 1U);
  EXPECT_EQ(removal[0].resources, Names{"new@1"});
  client.Settle(removal);
  EXPECT_FALSE(client.session.has_unacknowledged());
}

TEST(SotwSession, ARouteWaitsForNoClusterThatWasRefused) {
  Envoy client;
  const auto clusters = client.Replace("old", "new");
  ASSERT_EQ(clusters.size(), 1U);
  const auto routes = client.Send(kCluster, clusters[0].nonce, "no");
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0].resources, Names{"80@to new"});
}

TEST(SotwSession, ARouteIsSentHoweverOftenClustersChange) {
  Envoy client;
  auto on_their_way = client.Replace("old", "0");
  std::set<std::string> warm;
  std::size_t routes = 0;
  for (int i = 1; i <= 10; ++i) {
    client.SetAll(std::to_string(i));
    EXPECT_TRUE(client.Change().empty()) << "each edit comes before the acknowledgement of the one before";
    const auto clusters = std::exchange(on_their_way, {});
    ASSERT_EQ(clusters.size(), 1U);
    warm.insert(clusters[0].resources.begin(), clusters[0].resources.end());
    for (const auto& response : client.Ack(clusters[0])) {
      if (response.type_url == kCluster) {
        on_their_way.push_back(response);
        continue;
      }
      ASSERT_EQ(response.type_url, kRoute);
      EXPECT_TRUE(warm.contains(response.resources.at(0).substr(6) + "@1")) << response.resources.at(0);
      EXPECT_TRUE(client.Ack(response).empty());
      ++routes;
    }
  }
  EXPECT_GE(routes, 4U);
}

TEST(SotwSession, NamesThatChangeWhileRoutesWaitAreHeard) {
  Envoy client;
  client.Set(kRoute, "90", "1");
  const auto clusters = client.Replace("old", "new");
  ASSERT_EQ(clusters.size(), 1U);
  const auto asked = client.Subscribe(kRoute, {"90"});
  ASSERT_EQ(asked.size(), 1U) << "a name that is added waits for nothing";
  EXPECT_EQ(asked[0].resources, Names{"90@1"});
  EXPECT_TRUE(client.Ack(asked[0]).empty());
  const auto rest = client.Settle(client.Ack(clusters[0]));
  for (const auto& response : rest)
    if (response.type_url == kRoute) ADD_FAILURE() << "80 was given up, and 90 is as it was sent";
}

TEST(SotwSession, ARouteIsNotSentBeforeAClusterThatWaitsForAnAcknowledgement) {
  Client client;
  client.proxy.plait_form = true;
  client.Set(kCluster, "a", "1");
  client.Set(kRoute, "80", "to a");
  client.Settle(client.Subscribe(kCluster, {}));
  client.Settle(client.Subscribe(kRoute, {"80"}));
  client.Set(kCluster, "a", "2");
  const auto first = client.Change();
  ASSERT_EQ(first.size(), 1U);
  client.Set(kCluster, "b", "1");
  client.Set(kRoute, "80", "to b");
  EXPECT_TRUE(client.Change().empty());
  client.Set(kRoute, "90", "1");
  const auto asked = client.Subscribe(kRoute, {"80", "90"});
  ASSERT_EQ(asked.size(), 1U) << "a name that is added waits for nothing";
  EXPECT_EQ(asked[0].resources, Names{"90@1"});
  client.Settle(asked);
  const auto second = client.Ack(first[0]);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0].resources, (Names{"a@2", "b@1"}));
  EXPECT_EQ(second[1].resources, Names{"80@to b"});
}

TEST(SotwSession, AChangeOfOtherEndpointsIsNotCompared) {
  Client client;
  client.Set(kEndpoint, "outbound|80||a", "1");
  client.Settle(client.Subscribe(kEndpoint, {"outbound|80||a"}));
  client.Set(kEndpoint, "outbound|80||a", "2");
  EXPECT_TRUE(client.Change({.index = false, .hosts = {"b"}}).empty());
  EXPECT_EQ(client.Change({.index = false, .hosts = {"a"}}).size(), 1U);
}

TEST(SotwSession, RefusesTooManyNamesAndTypes) {
  SotwSession session;
  xds::DiscoveryRequest request{.type_url = "t"};
  for (std::size_t i = 0; i < SessionLimits::kMaxNames; ++i) request.names.push_back(std::to_string(i));
  EXPECT_TRUE(session.OnRequest(request));
  EXPECT_TRUE(session.OnRequest(request)) << "the same names count once";
  EXPECT_EQ(session.OnRequest({.type_url = "u", .names = {"one more"}}).error().code, Errc::kLimit);
  const std::string long_name(SessionLimits::kMaxNameBytes + 1, 'n');
  EXPECT_EQ(SotwSession().OnRequest({.type_url = "t", .names = {long_name}}).error().code, Errc::kLimit);
  SotwSession other;
  for (std::size_t i = 0; i < SessionLimits::kMaxTypes; ++i)
    EXPECT_TRUE(other.OnRequest({.type_url = std::to_string(i)}));
  EXPECT_FALSE(other.OnRequest({.type_url = "one more"}));
}

}  // namespace
}  // namespace plait::control::serve
