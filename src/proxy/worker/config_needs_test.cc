// How long listeners and clusters wait for what they need (initial_fetch_timeout), and when that is given up.
#include <gtest/gtest.h>

#include "core/xds/type_url.h"
#include "proxy/worker/test_store.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;
using Kind = MainDemands::Kind;

class ConfigNeeds : public StoreTest {
 protected:
  ConfigNeeds() : StoreTest(ManualClock::Start::kStanding, /*warming_limit=*/std::chrono::seconds(15)) {
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
  void PutListener(const std::string& name, xds::RdsRef routes, std::vector<xds::SecretRef> certificates = {}) {
    xds::HttpConnectionManager manager;
    manager.routes = std::move(routes);
    manager.filters.emplace_back().config = xds::RouterFilter{};
    xds::Listener listener;
    listener.name = name;
    listener.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
    xds::FilterChain& chain = listener.filter_chains.emplace_back();
    chain.filters.push_back({"http", std::move(manager)});
    if (!certificates.empty()) chain.tls.emplace().common.certificate_secrets = std::move(certificates);
    ASSERT_TRUE(store_.PutListener(Named(listener), false).has_value());
  }
  void PutRoutes(const std::string& name) {
    xds::RouteConfiguration routes;
    routes.name = name;
    ASSERT_TRUE(store_.PutRoutes(Named(routes)).has_value());
  }
  void PutRoots(const std::string& name) {
    xds::ValidationContext validation;
    validation.accept_untrusted = true;
    ASSERT_TRUE(
        store_.PutSecret(std::make_shared<xds::Secret>(xds::Secret{name, validation}), {.version = "1"}).has_value());
  }
  static xds::Resource<xds::Cluster> TlsCluster(const std::string& name, const xds::SecretRef& roots) {
    xds::Cluster cluster;
    cluster.name = name;
    cluster.tls.emplace().common.validation_secret = roots;
    return Named(std::move(cluster));
  }
  static xds::Cluster EdsCluster(const std::string& name, const std::string& service,
                                 std::optional<Duration> fetch_timeout = std::nullopt) {
    xds::Cluster cluster;
    cluster.name = name;
    cluster.type = xds::Cluster::Type::kEds;
    cluster.eds_service_name = service;
    cluster.eds_fetch_timeout = fetch_timeout;
    return cluster;
  }
  void PutEndpoints(const std::string& service) {
    auto assignment = std::make_shared<xds::ClusterLoadAssignment>();
    assignment->cluster_name = service;
    assignment->localities.emplace_back().endpoints.emplace_back().address =
        io::SocketAddress::Parse("10.0.0.1:80").value();
    xds::Resource<xds::ClusterLoadAssignment> resource;
    resource.name = service;
    resource.value = std::move(assignment);
    ASSERT_TRUE(store_.PutEndpoints(resource).has_value());
  }
  std::size_t HostsOf(const std::string& cluster) const {
    std::size_t hosts = 0;
    for (const cluster::PriorityHosts& priority : store_.clusters().Find(cluster)->priorities)
      hosts += priority.all.size();
    return hosts;
  }

  std::set<std::pair<std::string, std::string>> subscribed_;
};

TEST_F(ConfigNeeds, AClusterWhoseEndpointsDoNotComeIsThereWithoutHosts) {
  ASSERT_TRUE(store_.PutCluster(Named(EdsCluster("one", "service")), false).has_value());
  Pass(std::chrono::seconds(14));
  EXPECT_EQ(store_.clusters().Find("one"), nullptr);
  Pass(std::chrono::seconds(1));
  ASSERT_NE(store_.clusters().Find("one"), nullptr);
  EXPECT_EQ(HostsOf("one"), 0U);
  PutEndpoints("service");
  EXPECT_EQ(HostsOf("one"), 1U);
}

TEST_F(ConfigNeeds, AClusterServesUntilTheEndpointsOfItsNextFormHaveHadTheirTime) {
  ASSERT_TRUE(store_.PutCluster(Named(EdsCluster("one", "service")), false).has_value());
  PutEndpoints("service");
  ASSERT_TRUE(store_.PutCluster(Named(EdsCluster("one", "never")), false).has_value());
  Pass(std::chrono::seconds(14));
  EXPECT_EQ(HostsOf("one"), 1U);
  Pass(std::chrono::seconds(1));
  EXPECT_EQ(HostsOf("one"), 0U);
}

TEST_F(ConfigNeeds, AClusterWaitsForItsEndpointsAsLongAsTheirSourceSays) {
  const auto two_seconds = EdsCluster("short", "never", std::chrono::seconds(2));
  ASSERT_TRUE(store_.PutCluster(Named(two_seconds), false).has_value());
  const auto for_ever = EdsCluster("long", "never", Duration::zero());
  ASSERT_TRUE(store_.PutCluster(Named(for_ever), false).has_value());
  Pass(std::chrono::seconds(2));
  EXPECT_NE(store_.clusters().Find("short"), nullptr);
  Pass(std::chrono::hours(1));
  EXPECT_EQ(store_.clusters().Find("long"), nullptr);
}

TEST_F(ConfigNeeds, AClusterThatWarmsWithoutEndIsWaitedForOnce) {
  ASSERT_TRUE(store_.PutCluster(Named(EdsCluster("a", "never", Duration::zero())), false).has_value());
  std::optional<bool> first, second;
  const Pending wait = store_.Need(Kind::kCluster, "a", std::chrono::seconds(5), [&](bool there) { first = there; });
  Pass(std::chrono::seconds(4));
  EXPECT_FALSE(first.has_value());
  Pass(std::chrono::seconds(1));
  EXPECT_EQ(first, false);
  const Pending again = store_.Need(Kind::kCluster, "a", std::chrono::seconds(5), [&](bool there) { second = there; });
  Pass(std::chrono::milliseconds(1));
  EXPECT_EQ(second, false);
}

TEST_F(ConfigNeeds, AClusterWhoseSecretDoesNotComeIsThereWithoutIt) {
  ASSERT_TRUE(store_.PutCluster(TlsCluster("usual", {.name = "late"}), false).has_value());
  const xds::SecretRef soon{.name = "other", .fetch_timeout = std::chrono::seconds(2)};
  ASSERT_TRUE(store_.PutCluster(TlsCluster("short", soon), false).has_value());
  const xds::SecretRef never{.name = "third", .fetch_timeout = Duration::zero()};
  ASSERT_TRUE(store_.PutCluster(TlsCluster("long", never), false).has_value());
  Pass(std::chrono::seconds(2));
  EXPECT_NE(store_.clusters().Find("short"), nullptr);
  Pass(std::chrono::seconds(12));
  EXPECT_EQ(store_.clusters().Find("usual"), nullptr);
  Pass(std::chrono::seconds(1));
  EXPECT_NE(store_.clusters().Find("usual"), nullptr);
  EXPECT_TRUE(store_.MissingSecrets().contains("late"));
  Pass(std::chrono::hours(1));
  EXPECT_EQ(store_.clusters().Find("long"), nullptr);
}

TEST_F(ConfigNeeds, AListenerWaitsForTheSlowestOfWhatItLacks) {
  PutListener("edge", {.name = "routes", .fetch_timeout = std::chrono::seconds(20)},
              {{.name = "site", .fetch_timeout = Duration::zero()}});
  Pass(std::chrono::hours(1));
  EXPECT_FALSE(store_.HasActive("edge"));
  PutListener("edge", {.name = "routes", .fetch_timeout = std::chrono::seconds(20)},
              {{.name = "site", .fetch_timeout = std::chrono::seconds(30)}});
  Pass(std::chrono::seconds(29));
  EXPECT_FALSE(store_.HasActive("edge"));
  PutRoutes("routes");
  Pass(std::chrono::seconds(1));
  EXPECT_TRUE(store_.HasActive("edge"));
}

TEST_F(ConfigNeeds, RoutesThatDidNotComeInTimeAreNoneForRequests) {
  PutListener("edge", {.name = "routes"});
  Pass(std::chrono::seconds(15));
  ASSERT_TRUE(store_.HasActive("edge"));
  std::optional<bool> answer;
  const Pending wait =
      store_.Need(Kind::kRoutes, "routes", std::chrono::seconds(15), [&](bool there) { answer = there; });
  Pass(std::chrono::milliseconds(1));
  EXPECT_EQ(answer, true);
  EXPECT_EQ(store_.FindRoutes("routes").value(), nullptr);
  PutRoutes("routes");
  EXPECT_NE(store_.FindRoutes("routes").value(), nullptr);
}

TEST_F(ConfigNeeds, RoutesOfAListenerThatHasGoneAreGivenUpWhenItsConnectionsHaveHadTheirTime) {
  PutListener("one", {.name = "shared"});
  PutListener("two", {.name = "shared"});
  PutRoutes("shared");
  store_.RemoveListener("one");
  Pass(std::chrono::hours(1));
  EXPECT_TRUE(IsSubscribed(url::kRoute, "shared"));
  store_.RemoveListener("two");
  Pass(std::chrono::seconds(45));
  EXPECT_TRUE(IsSubscribed(url::kRoute, "shared"));
  PutListener("three", {.name = "shared"});
  Pass(std::chrono::hours(1));
  EXPECT_TRUE(IsSubscribed(url::kRoute, "shared"));
  store_.RemoveListener("three");
  Pass(std::chrono::milliseconds(1));
  Pass(std::chrono::seconds(60));
  EXPECT_FALSE(IsSubscribed(url::kRoute, "shared"));
  EXPECT_FALSE(store_.FindRoutes("shared").has_value());
  EXPECT_TRUE(store_.accepted().routes.empty());
  PutRoutes("shared");  // was on its way
  EXPECT_FALSE(store_.FindRoutes("shared").has_value());
  PutListener("four", {.name = "shared"});
  EXPECT_TRUE(IsSubscribed(url::kRoute, "shared"));
  EXPECT_FALSE(store_.HasActive("four")) << "with routes of long ago";
}

TEST_F(ConfigNeeds, RoutesOfAListenerAreKeptUntilThoseOfItsNextFormHaveCome) {
  PutListener("edge", {.name = "first"});
  PutRoutes("first");
  PutListener("edge", {.name = "second", .fetch_timeout = Duration::zero()});
  Pass(std::chrono::hours(1));
  EXPECT_TRUE(IsSubscribed(url::kRoute, "first"));
  PutRoutes("second");
  Pass(std::chrono::milliseconds(1));
  Pass(std::chrono::seconds(60));
  EXPECT_FALSE(IsSubscribed(url::kRoute, "first"));
  EXPECT_TRUE(IsSubscribed(url::kRoute, "second"));
}

TEST_F(ConfigNeeds, ASecretIsGivenUpWhenTheLastWhoNamedItHasGone) {
  PutListener("edge", {.name = "routes"}, {{.name = "site"}});
  ASSERT_TRUE(store_.PutCluster(TlsCluster("a", {.name = "roots"}), false).has_value());
  ASSERT_TRUE(store_.PutCluster(TlsCluster("b", {.name = "roots"}), false).has_value());
  PutRoots("roots");
  EXPECT_TRUE(IsSubscribed(url::kSecret, "site"));
  store_.RemoveListener("edge");
  store_.RemoveCluster("a");
  Pass(std::chrono::milliseconds(1));
  Pass(std::chrono::seconds(60));
  EXPECT_FALSE(IsSubscribed(url::kSecret, "site"));
  EXPECT_TRUE(IsSubscribed(url::kSecret, "roots"));
  EXPECT_TRUE(secrets_.Has("roots"));
  store_.RemoveCluster("b");
  Pass(std::chrono::milliseconds(1));
  Pass(std::chrono::seconds(60));
  EXPECT_FALSE(IsSubscribed(url::kSecret, "roots"));
  EXPECT_FALSE(secrets_.Has("roots"));
  EXPECT_TRUE(store_.accepted().secrets.empty());
  PutRoots("roots");  // was on its way
  EXPECT_FALSE(secrets_.Has("roots"));
}

TEST_F(ConfigNeeds, TheOwnSecretsOfTheProxyAreNeverGivenUp) {
  ASSERT_TRUE(store_.PutCluster(TlsCluster("a", {.name = kRoots}), false).has_value());
  PutRoots(kRoots);
  store_.RemoveCluster("a");
  Pass(std::chrono::milliseconds(1));
  Pass(std::chrono::hours(1));
  EXPECT_TRUE(IsSubscribed(url::kSecret, kRoots));
  EXPECT_TRUE(secrets_.Has(kRoots));
}

}  // namespace
}  // namespace plait::proxy::worker
