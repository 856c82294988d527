// In which order a delta session sends what names each other: semantics.md 6.
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "control/serve/delta_client.h"
#include "control/serve/replacing_envoy.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types
using Client = DeltaClient;
using Names = DeltaClient::Names;

TEST(DeltaOrder, NewThingsGoOutBeforeWhatNamesThem) {
  Client client;
  for (const auto type : {kRoute, kListener, kCluster}) client.Settle(client.Subscribe(type, {"*"}));
  for (const auto type : {kRoute, kListener, kCluster}) client.provider.Set(type, "x", "1");
  Names order;
  for (const auto& response : client.Change()) order.push_back(response.type_url);
  EXPECT_EQ(order, (Names{std::string(kCluster), std::string(kListener), std::string(kRoute)}));
}

TEST(DeltaOrder, AClusterIsRemovedAfterTheRouteThatUsedItWasChanged) {
  Client client;
  client.provider.Set(kCluster, "old", "1");
  client.provider.Set(kRoute, "80", "to old");
  client.Settle(client.Subscribe(kCluster, {"*"}));
  client.Settle(client.Subscribe(kRoute, {"80"}));
  client.provider.Remove(kCluster, "old");
  client.provider.Set(kCluster, "new", "1");
  client.provider.Set(kRoute, "80", "to new");
  const auto first = client.Change();
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(first[0].removed.empty());
  EXPECT_TRUE(client.Ack(first[0]).empty());  // the cluster is taken, the route is not yet
  const auto second = client.Ack(first[1]);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].removed, Names{"old"});
}

TEST(DeltaOrder, AClusterStaysAsLongAsARouteThatLeavesItIsRefused) {
  Client client;
  client.provider.Set(kCluster, "old", "1");
  client.provider.Set(kRoute, "80", "to old");
  client.Settle(client.Subscribe(kCluster, {"*"}));
  client.Settle(client.Subscribe(kRoute, {"80"}));
  client.provider.Remove(kCluster, "old");
  client.provider.Set(kRoute, "80", "bad");
  const auto routes = client.Change();
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_TRUE(client.Send({.type_url = routes[0].type_url, .response_nonce = routes[0].nonce, .error = "no"}).empty())
      << "the route to it is in force";
  client.provider.Set(kRoute, "80", "good");
  const auto mended = client.Change();
  ASSERT_EQ(mended.size(), 1U);
  const auto removals = client.Ack(mended[0]);
  ASSERT_EQ(removals.size(), 1U);
  EXPECT_EQ(removals[0].removed, Names{"old"});
}

TEST(DeltaOrder, ARouteIsNotSentBeforeAClusterThatWaitsForAnAcknowledgement) {
  Client client;
  for (const char* name : {"a", "b"}) client.provider.Set(kCluster, name, "1");
  client.provider.Set(kRoute, "80", "to a");
  client.Settle(client.Subscribe(kCluster, {"a", "b"}));
  client.Settle(client.Subscribe(kRoute, {"80"}));
  client.provider.Set(kCluster, "a", "2");
  const auto first = client.Change();
  ASSERT_EQ(first.size(), 1U);
  client.provider.Set(kCluster, "b", "2");
  client.provider.Set(kRoute, "80", "to b");
  EXPECT_TRUE(client.Change().empty());
  EXPECT_TRUE(client.session.has_unacknowledged());
  const auto second = client.Ack(first[0]);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(NamesOf(second[0]), Names{"b"});
  EXPECT_EQ(NamesOf(second[1]), Names{"80"});
}

using Envoy = ReplacingEnvoy<Client>;

TEST(DeltaOrder, ARouteGoesToAnEnvoyOnceANewClusterIsWarm) {
  Envoy client;
  const auto clusters = client.Replace("old", "new");
  ASSERT_EQ(clusters.size(), 1U);
  EXPECT_EQ(NamesOf(clusters[0]), Names{"new"});
  const auto endpoints = client.Subscribe(kEndpoint, {"new"});
  ASSERT_EQ(endpoints.size(), 1U);
  EXPECT_EQ(endpoints[0].type_url, kEndpoint);
  EXPECT_TRUE(client.Ack(endpoints[0]).empty()) << "what it waits for beside them, nobody knows";
  const auto routes = client.Ack(clusters[0]);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(NamesOf(routes[0]), Names{"80"});
  const auto removals = client.Ack(routes[0]);
  ASSERT_FALSE(removals.empty());
  EXPECT_EQ(removals[0].removed, Names{"old"});
  client.Settle(removals);
  EXPECT_FALSE(client.session.has_unacknowledged());
}

TEST(DeltaOrder, ARouteWaitsForNoClusterThatWasRefused) {
  Envoy client;
  const auto clusters = client.Replace("old", "new");
  ASSERT_EQ(clusters.size(), 1U);
  const auto routes =
      client.Send({.type_url = std::string(kCluster), .response_nonce = clusters[0].nonce, .error = "no"});
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(NamesOf(routes[0]), Names{"80"});
}

TEST(DeltaOrder, EndpointsOfChangedClustersFollowToAnEnvoy) {
  Envoy client;
  client.provider.Set(kCluster, "old", "2");
  const auto responses = client.Change();
  ASSERT_EQ(responses.size(), 2U) << "it is warmed anew, and asked for by a name that is subscribed already";
  EXPECT_EQ(NamesOf(responses[0]), Names{"old"});
  EXPECT_EQ(responses[1].type_url, kEndpoint);
  EXPECT_EQ(NamesOf(responses[1]), Names{"old"});
  client.Settle(responses);
  client.proxy.plait_form = true;
  client.provider.Set(kCluster, "old", "3");
  EXPECT_EQ(client.Change().size(), 1U) << "a plait-proxy keeps them";
}

TEST(DeltaOrder, EndpointsFollowTheClustersThatWereSentAndNotThoseThatWait) {
  Envoy client;
  const Names names = {"0", "1", "2"};
  const auto set = [&](const std::string& version) {
    for (const std::string& name : names)
      client.provider.Set(kCluster, name, version, {}, std::string(DeltaSession::kResponseBytes, 'x'));
  };
  for (const std::string& name : names) client.provider.Set(kEndpoint, name, "1");
  set("1");
  client.Settle(client.Change());
  client.Settle(client.Subscribe(kEndpoint, names));
  set("2");
  const auto first = client.Change();
  ASSERT_EQ(first.size(), 3U) << "two responses of clusters, as many as may be on their way";
  EXPECT_EQ(NamesOf(first[0]), Names{"0"});
  EXPECT_EQ(NamesOf(first[1]), Names{"1"});
  EXPECT_EQ(NamesOf(first[2]), (Names{"0", "1"}));
  const auto rest = client.Ack(first[0]);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0].type_url, kCluster);
  EXPECT_EQ(NamesOf(rest[0]), Names{"2"});
  EXPECT_EQ(rest[1].type_url, kEndpoint);
  EXPECT_EQ(NamesOf(rest[1]), Names{"2"});
}

// An Envoy on a new stream, with what it has of an earlier one.
struct Returned : Envoy {
  Returned(const std::string& cluster, const std::string& version) {
    session = DeltaSession();
    of_clusters = Subscribe(kCluster, {"*"}, {{cluster, version}});
    of_endpoints = Subscribe(kEndpoint, {"old"}, {{"old", "1"}});
  }
  std::vector<xds::SharedDeltaResponse> of_clusters, of_endpoints;
};

TEST(DeltaOrder, AReturnedEnvoyHearsOfTheEndpointsOfChangedClusters) {
  Returned changed("old", "0");
  ASSERT_EQ(changed.of_clusters.size(), 1U);
  EXPECT_EQ(NamesOf(changed.of_clusters[0]), Names{"old"});
  ASSERT_EQ(changed.of_endpoints.size(), 1U) << "it warms the cluster, and has asked for its endpoints before";
  EXPECT_EQ(NamesOf(changed.of_endpoints[0]), Names{"old"});
  Returned same("old", "1");
  ASSERT_EQ(same.of_clusters.size(), 1U);
  EXPECT_TRUE(same.of_clusters[0].resources.empty());
  EXPECT_TRUE(same.of_endpoints.empty());
}

TEST(DeltaOrder, ARouteOfAReturnedEnvoyWaitsForClusters) {
  Returned client("old", "1");
  client.Settle(client.of_clusters);
  EXPECT_TRUE(client.Subscribe(kRoute, {"80"}, {{"80", "to old"}}).empty());
  const auto clusters = client.Replace("old", "new");
  ASSERT_EQ(clusters.size(), 1U) << "it was sent no route on this stream, but it has one";
  EXPECT_EQ(NamesOf(clusters[0]), Names{"new"});
  EXPECT_EQ(NamesOf(client.Ack(clusters[0]).at(0)), Names{"80"});
}

TEST(DeltaOrder, ARouteThatChangedWhileTheEnvoyWasAwayWaitsForClusters) {
  Returned client("before", "1");
  ASSERT_EQ(client.of_clusters.size(), 1U);
  EXPECT_TRUE(client.Subscribe(kRoute, {"80"}, {{"80", "to before"}}).empty());
  const auto routes = client.Ack(client.of_clusters[0]);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(NamesOf(routes[0]), Names{"80"});
  const auto removals = client.Ack(routes[0]);
  ASSERT_EQ(removals.size(), 1U) << "and clusters go after it";
  EXPECT_EQ(removals[0].removed, Names{"before"});
}

TEST(DeltaOrder, ANameBesideAWildcardThatWaitsIsAnswered) {
  Returned client("old", "0");
  client.provider.Set(kListener, "new", "1");
  client.provider.Set(kListener, "held", "2");
  const auto asked = client.Subscribe(kListener, {"*", "new"}, {{"held", "1"}});
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(NamesOf(asked[0]), Names{"new"});
  EXPECT_TRUE(client.Ack(asked[0]).empty());
  EXPECT_FALSE(client.session.status().at(std::string(kListener)).synced());
  const auto listeners = client.Ack(client.of_clusters.at(0));
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_EQ(NamesOf(listeners[0]), Names{"held"});
}

TEST(DeltaOrder, ARouteIsSentHoweverOftenClustersChange) {
  Envoy client;
  auto on_their_way = client.Replace("old", "0");
  ASSERT_EQ(on_their_way.size(), 1U);
  std::set<std::string> warm;
  std::size_t routes = 0;
  for (int i = 1; i <= 10; ++i) {
    client.SetAll(std::to_string(i));
    EXPECT_TRUE(client.Change().empty()) << "each edit comes before the acknowledgement of the one before";
    const auto clusters = std::exchange(on_their_way, {});
    ASSERT_EQ(clusters.size(), 1U);
    for (const std::string& name : NamesOf(clusters[0])) warm.insert(name);
    for (const auto& response : client.Ack(clusters[0])) {
      if (response.type_url == kCluster) {
        on_their_way.push_back(response);
        continue;
      }
      ASSERT_EQ(response.type_url, kRoute);
      EXPECT_TRUE(warm.contains(response.resources.at(0)->version.substr(3))) << response.resources.at(0)->version;
      EXPECT_TRUE(client.Ack(response).empty());
      ++routes;
    }
  }
  EXPECT_GE(routes, 4U);
}

TEST(DeltaOrder, ARouteIsSentToAPlaitProxyHoweverOftenClustersAndEndpointsChange) {
  Client client;
  const auto set = [&](int version) {
    for (const auto type : {kCluster, kEndpoint, kRoute}) client.provider.Set(type, "x", std::to_string(version));
  };
  set(0);
  for (const auto type : {kCluster, kEndpoint, kRoute}) client.Settle(client.Subscribe(type, {"x"}));
  set(1);
  std::vector<xds::SharedDeltaResponse> sent = client.Change();
  std::size_t routes = 0;
  std::string cluster;
  for (std::size_t i = 0; i < 20; ++i) {
    set(static_cast<int>(i) + 2);
    for (auto& response : client.Change()) sent.push_back(response);
    ASSERT_LT(i, sent.size());
    for (auto& response : client.Ack(xds::SharedDeltaResponse(sent[i]))) sent.push_back(response);
  }
  for (const auto& response : sent) {
    if (response.type_url == kCluster) cluster = response.resources.at(0)->version;
    if (response.type_url != kRoute || response.resources.empty()) continue;
    ++routes;
    EXPECT_LE(std::stoi(response.resources[0]->version), std::stoi(cluster)) << "no route before its cluster";
  }
  EXPECT_GE(routes, 4U);
}

}  // namespace
}  // namespace plait::control::serve
