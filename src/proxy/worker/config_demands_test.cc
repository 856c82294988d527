// What is asked for as it is used, and when it is given up; what nobody answers is not waited for without end.
#include <gtest/gtest.h>

#include "core/xds/type_url.h"
#include "proxy/worker/test_store.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;
using Kind = MainDemands::Kind;
using cluster::kMostNegative;
using cluster::kNegativeLife;

class ConfigDemands : public StoreTest {
 protected:
  ConfigDemands() : StoreTest(ManualClock::Start::kStanding, /*warming_limit=*/std::chrono::seconds(15)) {
    store_.SetSubscriptions(
        {.subscribe = [this](std::string_view type, const std::string& name) { subscribed_.emplace(type, name); },
         .unsubscribe = [this](std::string_view type,
                               const std::string& name) { subscribed_.erase({std::string(type), name}); }});
  }
  bool IsSubscribed(std::string_view type, const std::string& name) const {
    return subscribed_.contains({std::string(type), name});
  }
  // Lets `by` pass and what is due run.
  void Pass(Duration by) {
    clock_.Advance(by);
    for (int i = 0; i < 5; ++i) loop_.RunOnce(Duration::zero());
  }
  // Somebody needs it, and the control plane says that there is none.
  void NeedInVain(Kind kind, const std::string& name) {
    const Pending wait = store_.Need(kind, name, std::chrono::seconds(5), [](bool) {});
    switch (kind) {
      case Kind::kCluster: return store_.RemoveCluster(name);
      case Kind::kRoutes: return store_.RemoveRoutes(name);
      case Kind::kL4Routes: return store_.RemoveL4Routes(name);
    }
  }
  static xds::Resource<xds::Cluster> EdsCluster(const std::string& name, const std::string& service) {
    xds::Cluster cluster;
    cluster.name = name;
    cluster.type = xds::Cluster::Type::kEds;
    cluster.eds_service_name = service;
    return Named(std::move(cluster));
  }
  static xds::Resource<xds::ClusterLoadAssignment> HostOf(const std::string& service) {
    xds::ClusterLoadAssignment assignment;
    assignment.cluster_name = service;
    assignment.localities.emplace_back().endpoints.emplace_back().address =
        io::SocketAddress::Parse("10.0.0.1:80").value();
    xds::Resource<xds::ClusterLoadAssignment> resource;
    resource.name = service;
    resource.value = std::make_shared<const xds::ClusterLoadAssignment>(std::move(assignment));
    return resource;
  }

  std::set<std::pair<std::string, std::string>> subscribed_;
};

TEST_F(ConfigDemands, OfNamesThatDoNotExistTheNewestAreKeptForAMinute) {
  constexpr std::size_t kMost = kMostNegative;
  for (std::size_t i = 0; i <= kMost; ++i) NeedInVain(Kind::kL4Routes, std::to_string(i));
  EXPECT_EQ(subscribed_.size(), kMost);
  EXPECT_FALSE(IsSubscribed(url::kL4Routes, "0"));
  EXPECT_FALSE(store_.FindL4Routes("0").has_value());
  EXPECT_TRUE(store_.FindL4Routes("1").has_value());
  Pass(kNegativeLife);
  EXPECT_TRUE(subscribed_.empty());
  EXPECT_FALSE(store_.FindL4Routes("1").has_value());
}

TEST_F(ConfigDemands, OfEachTypeAreGivenUpAndAskedForAnew) {
  for (const auto& [kind, type] :
       {std::pair{Kind::kCluster, url::kCluster}, {Kind::kRoutes, url::kRoute}, {Kind::kL4Routes, url::kL4Routes}}) {
    NeedInVain(kind, "name");
    EXPECT_TRUE(IsSubscribed(type, "name")) << type;
    Pass(kNegativeLife);
    EXPECT_FALSE(IsSubscribed(type, "name")) << type;
    std::optional<bool> answer;
    const Pending wait = store_.Need(kind, "name", std::chrono::seconds(5), [&](bool there) { answer = there; });
    EXPECT_TRUE(IsSubscribed(type, "name")) << type;
    Pass(Duration::zero());
    EXPECT_FALSE(answer.has_value()) << type << ": nobody has answered yet";
  }
}

TEST_F(ConfigDemands, WhatHasComeMeanwhileIsKept) {
  NeedInVain(Kind::kL4Routes, "80");
  xds::L4Routes routes;
  routes.name = "80";
  ASSERT_TRUE(store_.PutL4Routes(Named(routes)).has_value());
  NeedInVain(Kind::kCluster, "a");
  xds::Cluster cluster;
  cluster.name = "a";
  ASSERT_TRUE(store_.PutCluster(Named(cluster), false).has_value());
  Pass(kNegativeLife * 2);
  EXPECT_TRUE(IsSubscribed(url::kL4Routes, "80"));
  EXPECT_NE(store_.FindL4Routes("80").value(), nullptr);
  EXPECT_TRUE(IsSubscribed(url::kCluster, "a"));
}

TEST_F(ConfigDemands, WhatAListenerNeedsIsNeverGivenUp) {
  xds::HttpConnectionManager manager;
  manager.routes = xds::RdsRef{.name = "web"};
  manager.filters.emplace_back().config = xds::RouterFilter{};
  xds::Listener listener;
  listener.name = "web";
  listener.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  listener.filter_chains.emplace_back().filters.push_back({"http", std::move(manager)});
  ASSERT_TRUE(store_.PutListener(Named(listener), false).has_value());
  NeedInVain(Kind::kRoutes, "web");
  Pass(kNegativeLife * 2);
  EXPECT_TRUE(IsSubscribed(url::kRoute, "web"));
}

TEST_F(ConfigDemands, EndpointsOfAServiceThatIsUsedAgainAreAskedForAnew) {
  ASSERT_TRUE(store_.PutCluster(EdsCluster("one", "service"), false).has_value());
  ASSERT_TRUE(store_.PutEndpoints(HostOf("service")).has_value());
  ASSERT_NE(store_.clusters().Find("one"), nullptr);
  store_.RemoveCluster("one");
  EXPECT_FALSE(IsSubscribed(url::kEndpoint, "service"));
  ASSERT_TRUE(store_.PutCluster(EdsCluster("two", "service"), false).has_value());
  EXPECT_TRUE(IsSubscribed(url::kEndpoint, "service"));
  EXPECT_EQ(store_.clusters().Find("two"), nullptr) << "with hosts that may have gone long ago";
  EXPECT_TRUE(store_.accepted().endpoints.empty());
}

// Its connection pools belong to it.
TEST_F(ConfigDemands, AClusterThatComesAgainAsItIsStaysTheSame) {
  xds::Cluster cluster;
  cluster.name = "a";
  const auto put = [&](const char* version, const char* bytes) {
    auto resource = Named(cluster);
    resource.version = version;
    resource.bytes = bytes;
    return store_.PutCluster(resource, false);
  };
  ASSERT_TRUE(put("1", "bytes").has_value());
  const auto before = store_.clusters().Find("a");
  ASSERT_TRUE(put("2", "bytes").has_value());
  EXPECT_EQ(store_.clusters().Find("a"), before);
  EXPECT_EQ(store_.accepted().clusters.at("a").version, "2");
  ASSERT_TRUE(put("3", "other").has_value());
  EXPECT_NE(store_.clusters().Find("a"), before);
}

}  // namespace
}  // namespace plait::proxy::worker
