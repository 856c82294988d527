#include "proxy/cluster/cluster_set.h"

#include <gtest/gtest.h>

#include "proxy/cluster/outlier.h"

namespace plait::proxy::cluster {
namespace {

io::SocketAddress At(const std::string& text) { return io::SocketAddress::Parse(text).value(); }
xds::Endpoint EndpointAt(const std::string& text, xds::HealthStatus health = xds::HealthStatus::kHealthy) {
  return {.address = At(text), .health = health};
}

class Clusters : public testing::Test {
 protected:
  std::shared_ptr<xds::Cluster> Eds(const std::string& name) {
    auto config = std::make_shared<xds::Cluster>();
    config->name = name;
    config->type = xds::Cluster::Type::kEds;
    return config;
  }
  // As plaitd makes it: mutual TLS to workloads of the mesh, plaintext to others.
  std::shared_ptr<xds::Cluster> OriginalDst() {
    auto config = std::make_shared<xds::Cluster>();
    config->name = "PassthroughCluster";
    config->type = xds::Cluster::Type::kOriginalDst;
    config->transport_socket_matches = {
        {.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = xds::UpstreamTlsContext{}}};
    return config;
  }
  void PutEndpoints(const std::string& name, std::vector<xds::Endpoint> endpoints, std::uint32_t priority = 0) {
    auto assignment = std::make_shared<xds::ClusterLoadAssignment>();
    assignment->cluster_name = name;
    assignment->localities.push_back({.priority = priority, .endpoints = std::move(endpoints)});
    store_.PutEndpoints(assignment);
  }
  std::map<std::string, int> Picks(const std::string& name, int count) {
    std::map<std::string, int> picks;
    for (int i = 0; i < count; ++i) {
      const Picked picked = set_.Find(name)->Pick({});
      ++picks[picked.host ? picked.host->address().ToString() : "none"];
    }
    return picks;
  }
  io::Loop loop_;
  telemetry::Registry registry_;
  ClusterSet set_{1};
  int updates_ = 0;
  ClusterStore store_{loop_, registry_, nullptr, [this](const ClusterUpdate& update) {
                        ++updates_;
                        set_.Apply(update);
                      }};
};

TEST_F(Clusters, HidesAClusterUntilItsEndpointsAreThere) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  EXPECT_EQ(set_.Find("a"), nullptr);
  EXPECT_TRUE(store_.WarmingSince("a"));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  ASSERT_NE(set_.Find("a"), nullptr);
  EXPECT_EQ(Picks("a", 10).size(), 2U);
}

TEST_F(Clusters, KeepsHostsThatStayAndTellsOfThoseThatLeft) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  const HostPtr first = store_.Find("a")->priorities[0].all[0];
  std::vector<std::string> removed;
  set_.OnHostRemoved([&](const Cluster&, const HostPtr& host) { removed.push_back(host->address().ToString()); });
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.3:80")});
  EXPECT_EQ(store_.Find("a")->priorities[0].all[0], first);
  EXPECT_EQ(removed, std::vector<std::string>{"10.0.0.2:80"});
}

TEST_F(Clusters, MakesANewHostWhenTheIdentityChanges) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  xds::Endpoint endpoint = EndpointAt("10.0.0.1:80");
  endpoint.identity = "spiffe://cluster.local/ns/a/sa/x";
  PutEndpoints("a", {endpoint});
  const HostPtr before = store_.Find("a")->priorities[0].all[0];
  endpoint.identity = "spiffe://cluster.local/ns/a/sa/y";
  PutEndpoints("a", {endpoint});
  EXPECT_NE(store_.Find("a")->priorities[0].all[0], before);
}

TEST_F(Clusters, TakeNoMemoryForStatisticsOfTrafficThatTheyDoNotHave) {
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i);
    ASSERT_TRUE(store_.Put(Eds(name)));
    PutEndpoints(name, {EndpointAt("10.0.0.1:80")});
  }
  EXPECT_EQ(registry_.chunks(), 1U);  // membership_* and update_* of all
  std::string text;
  registry_.Scrape({}, text);
  EXPECT_TRUE(text.contains("cluster.99.membership_total: 1\n"));
  EXPECT_TRUE(text.contains("cluster.99.upstream_rq_total: 0\n"));
}

TEST_F(Clusters, LeavesUnhealthyHostsOutUntilPanic) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80"),
                     EndpointAt("10.0.0.3:80", xds::HealthStatus::kUnhealthy)});
  EXPECT_EQ(Picks("a", 100).count("10.0.0.3:80"), 0U);
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80", xds::HealthStatus::kUnhealthy),
                     EndpointAt("10.0.0.3:80", xds::HealthStatus::kUnhealthy)});
  EXPECT_EQ(Picks("a", 300).size(), 3U) << "less than half are healthy: panic";
}

TEST_F(Clusters, HasNoHostWhenPanicIsOffAndAllAreUnhealthy) {
  auto config = Eds("a");
  config->lb.healthy_panic_threshold = 0;
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80", xds::HealthStatus::kUnhealthy)});
  EXPECT_EQ(Picks("a", 3)["none"], 3);
}

TEST_F(Clusters, SpillsToTheNextPriorityInProportion) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  auto assignment = std::make_shared<xds::ClusterLoadAssignment>();
  assignment->cluster_name = "a";
  assignment->localities.push_back(
      {.priority = 0,
       .endpoints = {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80", xds::HealthStatus::kUnhealthy)}});
  assignment->localities.push_back({.priority = 1, .endpoints = {EndpointAt("10.0.1.1:80")}});
  store_.PutEndpoints(assignment);
  EXPECT_EQ(store_.Find("a")->priorities[0].load, 70U) << "50 % healthy x 1.4";
  EXPECT_EQ(store_.Find("a")->priorities[1].load, 30U);
  auto picks = Picks("a", 2000);
  EXPECT_NEAR(picks["10.0.1.1:80"], 600, 90);
}

TEST_F(Clusters, CountsTheWeightsOfHealthyHostsWhenThePolicySaysSo) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  for (const bool weighted : {false, true}) {
    auto assignment = std::make_shared<xds::ClusterLoadAssignment>();
    assignment->cluster_name = "a";
    assignment->weighted_priority_health = weighted;
    xds::Endpoint heavy = EndpointAt("10.0.0.1:80");
    heavy.weight = 3;
    assignment->localities.push_back(
        {.priority = 0, .endpoints = {heavy, EndpointAt("10.0.0.2:80", xds::HealthStatus::kUnhealthy)}});
    assignment->localities.push_back({.priority = 1, .endpoints = {EndpointAt("10.0.1.1:80")}});
    store_.PutEndpoints(assignment);
    EXPECT_EQ(store_.Find("a")->priorities[0].load, weighted ? 100U : 70U);
  }
}

TEST_F(Clusters, KnowsHostsOfALocalityWithoutWeightThoughTheyTakeNoLoad) {
  auto config = Eds("a");
  config->lb.locality_weighted = true;
  ASSERT_TRUE(store_.Put(config));
  auto assignment = std::make_shared<xds::ClusterLoadAssignment>();
  assignment->cluster_name = "a";
  assignment->localities = {{.locality = {.region = "near"}, .weight = 1, .endpoints = {EndpointAt("10.0.0.1:80")}},
                            {.locality = {.region = "far"}, .endpoints = {EndpointAt("10.0.0.2:80")}}};
  store_.PutEndpoints(assignment);
  EXPECT_EQ(Picks("a", 20), (std::map<std::string, int>{{"10.0.0.1:80", 20}}));
  const PriorityHosts& hosts = store_.Find("a")->priorities[0];
  ASSERT_EQ(hosts.idle.size(), 1U);
  EXPECT_EQ(hosts.idle[0]->address(), At("10.0.0.2:80"));
  EXPECT_EQ(hosts.load, 100U);
  std::string text;
  registry_.Scrape({}, text);
  EXPECT_TRUE(text.contains("cluster.a.membership_total: 2\n"));
  // It stays the same host when it gets a weight.
  const HostPtr far = hosts.idle[0];
  auto next = std::make_shared<xds::ClusterLoadAssignment>(*assignment);
  next->localities[1].weight = 1;
  store_.PutEndpoints(next);
  EXPECT_EQ(store_.Find("a")->priorities[0].all[1], far);
  EXPECT_TRUE(store_.Find("a")->priorities[0].idle.empty());
}

TEST_F(Clusters, AvoidsHostsThatWereTried) {
  ASSERT_TRUE(store_.Put(Eds("a")));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  const Picked first = set_.Find("a")->Pick({});
  const std::vector<HostPtr> tried = {first.host};
  for (int i = 0; i < 50; ++i) {
    EXPECT_NE(set_.Find("a")->Pick({.tried = tried, .attempts = 5}).host, first.host);
  }
}

TEST_F(Clusters, PinsHeadlessServicesToTheOriginalDestination) {
  auto config = Eds("a");
  config->pin_original_dst = true;
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80"), EndpointAt("10.0.0.3:80")});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(set_.Find("a")->Pick({.original_dst = At("10.0.0.2:80")}).host->address(), At("10.0.0.2:80"));
  }
  EXPECT_NE(set_.Find("a")->Pick({.original_dst = At("10.9.9.9:80")}).host, nullptr) << "no member: balances";
}

TEST_F(Clusters, PinsToTheMemberThatWasDialledAtThePortOfTheService) {
  auto config = Eds("a");
  config->pin_original_dst = true;
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:8080"), EndpointAt("10.0.0.2:8080"), EndpointAt("10.0.0.3:8080")});
  for (const char* dialled : {"10.0.0.2:80", "10.0.0.2:9090"}) {
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(set_.Find("a")->Pick({.original_dst = At(dialled)}).host->address(), At("10.0.0.2:8080"));
  }
}

TEST_F(Clusters, PinsToAHostByTheAddressOfItsOtherFamilyToo) {
  auto config = Eds("a");
  config->pin_original_dst = true;
  ASSERT_TRUE(store_.Put(config));
  xds::Endpoint second = EndpointAt("10.0.0.2:80");
  second.additional_addresses = {At("[fd00::2]:80")};
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), second});
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(set_.Find("a")->Pick({.original_dst = At("[fd00::2]:80")}).host->address(), At("10.0.0.2:80"));
}

TEST_F(Clusters, MakesOriginalDstHostsOnDemandAndForgetsThem) {
  std::shared_ptr<xds::Cluster> config = OriginalDst();
  ASSERT_TRUE(store_.Put(config));
  WorkerCluster& cluster = *set_.Find("PassthroughCluster");
  EXPECT_EQ(cluster.Pick({}).host, nullptr);
  const HostPtr plain = cluster.Pick({.original_dst = At("1.2.3.4:80")}).host;
  EXPECT_EQ(cluster.Pick({.original_dst = At("1.2.3.4:80")}).host, plain);
  EXPECT_EQ(cluster.cluster()->TlsFor(*plain), nullptr);
  const HostPtr secure = cluster.Pick({.original_dst = At("1.2.3.4:80"), .original_dst_identity = "spiffe://x"}).host;
  EXPECT_NE(secure, plain);
  EXPECT_NE(cluster.cluster()->TlsFor(*secure), nullptr);
  int removed = 0;
  set_.OnHostRemoved([&](const Cluster&, const HostPtr&) { ++removed; });
  const MonotonicTime now = loop_.Now();
  set_.Sweep(now);
  set_.Sweep(now + std::chrono::seconds(4));
  EXPECT_EQ(removed, 0);
  set_.Sweep(now + std::chrono::seconds(6));
  EXPECT_EQ(removed, 2);
}

TEST_F(Clusters, MakesOriginalDstHostsWithTheAddressOfTheirOtherFamily) {
  ASSERT_TRUE(store_.Put(OriginalDst()));
  WorkerCluster& cluster = *set_.Find("PassthroughCluster");
  const HostPtr host =
      cluster.Pick({.original_dst = At("[fd00::2]:80"), .original_dst_other = At("10.0.0.2:1").ip}).host;
  EXPECT_EQ(host->address(), At("[fd00::2]:80"));
  EXPECT_EQ(host->facts().additional_addresses, std::vector{At("10.0.0.2:80")});
}

TEST_F(Clusters, MakesOriginalDstHostsAnewThatTheNewConfigurationGivesOtherTlsSettings) {
  std::shared_ptr<xds::Cluster> config = OriginalDst();
  ASSERT_TRUE(store_.Put(config));
  WorkerCluster& cluster = *set_.Find("PassthroughCluster");
  const auto pick = [&](std::string_view identity) {
    return cluster.Pick({.original_dst = At("1.2.3.4:80"), .original_dst_identity = identity}).host;
  };
  const HostPtr plain = pick("");
  const HostPtr secure = pick("spiffe://x");
  std::vector<HostPtr> removed;
  set_.OnHostRemoved([&](const Cluster& was, const HostPtr& host) {
    EXPECT_EQ(was.config, config);
    removed.push_back(host);
  });
  config = std::make_shared<xds::Cluster>(*config);
  ASSERT_TRUE(store_.Put(config));
  EXPECT_EQ(pick("spiffe://x"), secure);
  EXPECT_TRUE(removed.empty());

  auto next = std::make_shared<xds::Cluster>(*config);
  next->transport_socket_matches.insert(next->transport_socket_matches.begin(),
                                        {.name = "other", .match = {{"tlsMode", "other"}}, .tls = {}});
  ASSERT_TRUE(store_.Put(next));
  EXPECT_EQ(removed, std::vector<HostPtr>{secure});
  EXPECT_EQ(cluster.cluster()->TlsFor(*pick("spiffe://x")), &*next->transport_socket_matches[1].tls);
  EXPECT_EQ(pick(""), plain);
}

TEST_F(Clusters, TellsOfOriginalDstHostsWhenTheClusterBecomesOneWithEndpoints) {
  auto config = std::make_shared<xds::Cluster>();
  config->name = "a";
  config->type = xds::Cluster::Type::kOriginalDst;
  ASSERT_TRUE(store_.Put(config));
  const HostPtr host = set_.Find("a")->Pick({.original_dst = At("1.2.3.4:80")}).host;
  std::vector<HostPtr> removed;
  set_.OnHostRemoved([&](const Cluster&, const HostPtr& gone) { removed.push_back(gone); });
  ASSERT_TRUE(store_.Put(Eds("a")));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80")});
  EXPECT_EQ(removed, std::vector<HostPtr>{host});
}

TEST_F(Clusters, TellsWaitersWhenAClusterIsReadyOrTooLate) {
  std::optional<bool> ready;
  std::optional<bool> late;
  const Pending a = store_.WhenReady("a", std::chrono::seconds(5), [&](bool ok) { ready = ok; });
  const Pending b = store_.WhenReady("b", std::chrono::milliseconds(5), [&](bool ok) { late = ok; });
  Pending dropped = store_.WhenReady("a", std::chrono::seconds(5), [&](bool) { FAIL() << "was cancelled"; });
  dropped.Cancel();
  ASSERT_TRUE(store_.Put(Eds("a")));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80")});
  EXPECT_FALSE(ready) << "not inside the call";
  loop_.RunUntil([&] { return ready.has_value() && late.has_value(); }, std::chrono::seconds(5));
  EXPECT_EQ(ready, true);
  EXPECT_EQ(late, false);
}

TEST_F(Clusters, PublishesABatchAtOnceAndRemovals) {
  store_.BeginBatch();
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(store_.Put(Eds(name)));
    PutEndpoints(name, {EndpointAt("10.0.0.1:80")});
  }
  EXPECT_EQ(updates_, 0);
  store_.EndBatch();
  EXPECT_EQ(updates_, 1);
  store_.Remove("b");
  EXPECT_EQ(set_.Find("b"), nullptr);
  EXPECT_EQ(set_.size(), 2U);
}

TEST_F(Clusters, EjectsAHostAfterFailuresInARowAndReadmitsIt) {
  auto config = Eds("a");
  config->lb.healthy_panic_threshold = 0;
  config->outlier_detection = xds::OutlierDetection{.interval = std::chrono::milliseconds(10),
                                                    .base_ejection_time = std::chrono::milliseconds(1),
                                                    .max_ejection_percent = 50};
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  const ClusterPtr cluster = store_.Find("a");
  const HostPtr bad = cluster->priorities[0].all[0];
  for (int i = 0; i < 4; ++i) ReportResponse(*cluster, *bad, 503);
  ReportResponse(*cluster, *bad, 200);
  for (int i = 0; i < 4; ++i) ReportResponse(*cluster, *bad, 503);
  loop_.RunOnce(Duration::zero());
  EXPECT_FALSE(bad->ejected()) << "a success begins the count again";
  ReportLocalFailure(*cluster, *bad, LocalFailure::kConnectFailed);
  loop_.RunOnce(Duration::zero());
  EXPECT_TRUE(bad->ejected());
  EXPECT_EQ(Picks("a", 20)["10.0.0.2:80"], 20);
  const HostPtr other = cluster->priorities[0].all[1];
  for (int i = 0; i < 5; ++i) ReportResponse(*cluster, *other, 500);
  loop_.RunOnce(Duration::zero());
  EXPECT_FALSE(other->ejected()) << "half of the hosts are ejected already";
  EXPECT_TRUE(loop_.RunUntil([&] { return !bad->ejected(); }, std::chrono::seconds(5)));
  EXPECT_EQ(Picks("a", 20).size(), 2U);
}

TEST_F(Clusters, EjectsAtTheNextFailureWhenTheLimitHasBecomeLowerThanTheRow) {
  auto config = Eds("a");
  config->outlier_detection = xds::OutlierDetection{.consecutive_5xx = 10, .max_ejection_percent = 100};
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  const HostPtr bad = store_.Find("a")->priorities[0].all[0];
  for (int i = 0; i < 7; ++i) ReportResponse(*store_.Find("a"), *bad, 500);
  auto stricter = std::make_shared<xds::Cluster>(*config);
  stricter->outlier_detection->consecutive_5xx = 3;
  ASSERT_TRUE(store_.Put(stricter));
  ReportResponse(*store_.Find("a"), *bad, 500);
  loop_.RunOnce(Duration::zero());
  EXPECT_TRUE(bad->ejected());
}

TEST_F(Clusters, CountsNoEjectionOfAHostThatHasLeftNorOfOneThatIsBackBecauseDetectionEnded) {
  auto config = Eds("a");
  config->outlier_detection = xds::OutlierDetection{.consecutive_5xx = 1, .max_ejection_percent = 100};
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  const std::shared_ptr<ClusterState> state = store_.Find("a")->state;
  const auto active = [&] {
    return state->stats.Value(static_cast<std::size_t>(ClusterStat::kOutlierEjectionsActive));
  };
  const std::vector<HostPtr> hosts = store_.Find("a")->priorities[0].all;
  for (const HostPtr& host : hosts) ReportResponse(*store_.Find("a"), *host, 500);
  loop_.RunOnce(Duration::zero());
  ASSERT_EQ(active(), 2U);
  PutEndpoints("a", {EndpointAt("10.0.0.2:80")});
  EXPECT_EQ(active(), 1U);
  auto off = std::make_shared<xds::Cluster>(*config);
  off->outlier_detection.reset();
  ASSERT_TRUE(store_.Put(off));
  EXPECT_EQ(active(), 0U);
  ASSERT_TRUE(store_.Put(config));
  ReportResponse(*store_.Find("a"), *store_.Find("a")->priorities[0].all[0], 500);
  loop_.RunOnce(Duration::zero());
  ASSERT_EQ(active(), 1U);
  store_.Remove("a");
  EXPECT_EQ(active(), 0U);
}

TEST_F(Clusters, LengthensAnEjectionByItsJitter) {
  auto config = Eds("a");
  config->outlier_detection = xds::OutlierDetection{.interval = std::chrono::milliseconds(5),
                                                    .base_ejection_time = std::chrono::milliseconds(1),
                                                    .max_ejection_time_jitter = std::chrono::hours(24),
                                                    .max_ejection_percent = 100};
  ASSERT_TRUE(store_.Put(config));
  PutEndpoints("a", {EndpointAt("10.0.0.1:80"), EndpointAt("10.0.0.2:80")});
  const ClusterPtr cluster = store_.Find("a");
  const HostPtr bad = cluster->priorities[0].all[0];
  for (int i = 0; i < 5; ++i) ReportResponse(*cluster, *bad, 503);
  loop_.RunOnce(Duration::zero());
  ASSERT_TRUE(bad->ejected());
  // Less than 0.1 s of a day: once in a million runs.
  EXPECT_FALSE(loop_.RunUntil([&] { return !bad->ejected(); }, std::chrono::milliseconds(60)));
}

TEST(ClusterLimits, StopsAtTheLimitAndCountsTheRetryBudget) {
  ClusterLimits limits;
  limits.Configure({.max_connections = 2, .max_retries = 1});
  EXPECT_TRUE(limits.connections.Take());
  EXPECT_TRUE(limits.connections.Take());
  EXPECT_FALSE(limits.connections.Take());
  limits.connections.Return();
  EXPECT_TRUE(limits.connections.Take());
  EXPECT_TRUE(limits.TakeRetry());
  EXPECT_FALSE(limits.TakeRetry());
  limits.ReturnRetry();
  limits.Configure({.retry_budget = xds::RetryBudget{.budget_percent = 20, .min_retry_concurrency = 1}});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limits.requests.Take());
  EXPECT_TRUE(limits.TakeRetry());
  EXPECT_TRUE(limits.TakeRetry());
  EXPECT_FALSE(limits.TakeRetry()) << "20 % of ten requests";
}

}  // namespace
}  // namespace plait::proxy::cluster
