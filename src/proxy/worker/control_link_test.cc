// The line to the control plane: what is asked for, and what becomes of the answers.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/xds/type_url.h"
#include "proxy/worker/test_control_plane.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;

TEST_F(ControlLinkTest, ASidecarOfPlaitdHasTheIndexWholeAndClustersOnlyAsTheyAreUsed) {
  plane_.Put(url::kCluster, "used", xds::Encode(StaticCluster("used")));
  plane_.Put(url::kCluster, "unused", xds::Encode(StaticCluster("unused")));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready() && plane_.Asked(url::kAddress, "*"); }));
  EXPECT_EQ(Need("used"), true);
  EXPECT_FALSE(plane_.Asked(url::kCluster, "*"));
  EXPECT_EQ(store_.accepted().clusters.size(), 1u);
}

TEST_F(ControlLinkTest, WhatDoesNotExistIsAnsweredAtOnceAndAgain) {
  StartAs("sidecar");
  EXPECT_EQ(Need("missing"), false);
  EXPECT_EQ(Need("missing"), false);
}

TEST_F(ControlLinkTest, WhereAllClustersComeNoneIsAskedForByName) {
  plane_.identifier = "istiod";
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return plane_.AcknowledgementsOf(url::kCluster) > 0; }));
  EXPECT_EQ(Need("missing"), false);
  EXPECT_FALSE(plane_.Asked(url::kCluster, "missing"));
}

// The first of its answers may be a part.
TEST_F(ControlLinkTest, PlaitdIsAskedForAClusterThatAGatewayLacks) {
  StartAs("router");
  ASSERT_TRUE(Until([&] { return plane_.AcknowledgementsOf(url::kCluster) > 0; }));
  plane_.Put(url::kCluster, "later", xds::Encode(StaticCluster("later")));
  EXPECT_EQ(Need("later"), true);
  EXPECT_EQ(Need("missing"), false);
}

TEST_F(ControlLinkTest, WithoutCdsNoClusterIsAskedFor) {
  bootstrap_ = BootstrapFor(plane_.address(), "sidecar");
  bootstrap_.dynamic.cds = false;
  link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
  ASSERT_TRUE(link_->Start().has_value());
  ASSERT_TRUE(Until([&] { return link_->connected(); }));
  EXPECT_EQ(Need("missing"), false);
  EXPECT_FALSE(plane_.Asked(url::kCluster, "missing"));
}

// Its first answer alone says nothing of whether it will take the rest.
TEST_F(ControlLinkTest, WaitsLongerAndLongerForAControlPlaneThatAnswersAndHangsUp) {
  plane_.hangs_up = true;
  bootstrap_ = BootstrapFor(plane_.address(), "sidecar");
  bootstrap_.dynamic.ads->first_back_off = std::chrono::milliseconds(1);
  bootstrap_.dynamic.ads->longest_back_off = std::chrono::seconds(60);
  link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
  ASSERT_TRUE(link_->Start().has_value());
  constexpr Duration kStep = std::chrono::milliseconds(10);
  const auto time_until = [&](int streams) {
    Duration passed{};
    for (; plane_.streams() < streams && passed < std::chrono::hours(1); passed += kStep) {
      clock_.Advance(kStep);
      loop_.RunOnce(Duration::zero());
    }
    return passed;
  };
  EXPECT_LT(time_until(20), std::chrono::hours(1));
  EXPECT_GT(time_until(30), std::chrono::seconds(60));
}

TEST_F(ControlLinkTest, DialsEachEndpointOfTheControlPlaneInTurn) {
  bootstrap_ = BootstrapFor(plane_.address(), "sidecar");
  auto cluster = std::make_shared<xds::Cluster>(*bootstrap_.clusters.front().value);
  const io::UniqueFd nobody = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  const io::SocketAddress closed = io::LocalAddress(nobody.get());
  ASSERT_EQ(shutdown(nobody.get(), SHUT_RDWR), 0);  // the port stays ours and refuses
  auto& endpoints = cluster->load_assignment.localities.front().endpoints;
  endpoints.insert(endpoints.begin(), xds::Endpoint{});
  endpoints.front().address = closed;
  bootstrap_.clusters.front().value = cluster;
  link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
  ASSERT_TRUE(link_->Start().has_value());
  EXPECT_TRUE(Until([&] { return link_->ready(); })) << link_->problem();
}

// As a bootstrap of Envoy has them: taken before there is a line to the control plane.
TEST_F(ControlLinkTest, AsksForWhatStaticResourcesName) {
  xds::Cluster dynamic{.name = "dynamic"};
  dynamic.type = xds::Cluster::Type::kEds;
  ASSERT_TRUE(store_.PutCluster({.name = "dynamic", .value = std::make_shared<xds::Cluster>(dynamic)}, true));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  EXPECT_TRUE(plane_.Asked(url::kEndpoint, "dynamic"));
}

TEST_F(ControlLinkTest, OfAnotherControlPlaneASidecarTakesAllClusters) {
  plane_.identifier = "istiod";
  plane_.Put(url::kCluster, "one", xds::Encode(StaticCluster("one")));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return store_.clusters().Find("one") != nullptr; }));
  EXPECT_FALSE(plane_.Asked(url::kAddress, "*"));
}

TEST_F(ControlLinkTest, AGatewayIsReadyWhenItsClustersHaveCome) {
  plane_.Put(url::kCluster, "one", xds::Encode(StaticCluster("one")));
  StartAs("router");
  EXPECT_FALSE(link_->ready());
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  EXPECT_NE(store_.clusters().Find("one"), nullptr);
}

TEST_F(ControlLinkTest, SendsItsInitialMetadata) {
  bootstrap_ = BootstrapFor(plane_.address(), "sidecar");
  bootstrap_.dynamic.ads->initial_metadata = {{"x-tenant", "blue"}};
  link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
  ASSERT_TRUE(link_->Start().has_value());
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  EXPECT_EQ(plane_.tenant, "blue");
}

TEST_F(ControlLinkTest, ABrokenResourceIsRefusedByNameAndTheOthersAreTaken) {
  plane_.Put(url::kCluster, "broken", "\xff\xff");
  plane_.Put(url::kCluster, "good", xds::Encode(StaticCluster("good")));
  plane_.Put(url::kCluster, "misnamed", xds::Encode(StaticCluster("other")));
  StartAs("router");
  ASSERT_TRUE(Until([&] { return !plane_.NackOf(url::kCluster).empty(); }));
  EXPECT_NE(store_.clusters().Find("good"), nullptr);
  EXPECT_NE(plane_.NackOf(url::kCluster).find("broken: "), std::string::npos) << plane_.NackOf(url::kCluster);
  EXPECT_NE(plane_.NackOf(url::kCluster).find("calls itself 'other'"), std::string::npos);
  const ConfigSubscriber::Failures& failures = link_->FailuresOf(url::kCluster);
  ASSERT_TRUE(failures.contains("broken"));
  EXPECT_NE(failures.find("broken")->second.details, "");
  EXPECT_FALSE(failures.contains("good"));
}

// A field of a protobuf message.
std::string Field(char number, const std::string& bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  out += static_cast<char>(bytes.size() % 128 | 128);
  out += static_cast<char>(bytes.size() / 128);
  return out + bytes;
}
constexpr char kResources = 2, kVersion = 1, kBody = 2, kName = 3, kTtl = 6;
// As a protobuf Any.
std::string Body(std::string_view type, const std::string& bytes) {
  return Field(kBody, Field(1, std::string(type)) + Field(2, bytes));
}

TEST_F(ControlLinkTest, AResourceIsGoneWhenItsTtlIsOver) {
  constexpr const char* k200Milliseconds = "\x10\x80\x84\xaf\x5f";  // as nanoseconds
  plane_.identifier = "other";
  plane_.also = Field(kResources, Field(kVersion, "1") + Field(kName, "short") + Field(kTtl, k200Milliseconds) +
                                      Body(url::kCluster, xds::Encode(StaticCluster("short"))));
  StartAs("router");
  ASSERT_TRUE(Until([&] { return store_.clusters().Find("short") != nullptr; }));
  EXPECT_TRUE(Until([&] { return store_.clusters().Find("short") == nullptr; }));
}

TEST_F(ControlLinkTest, ABodyOfAnotherTypeIsRefusedByNameAndTheStreamGoesOn) {
  plane_.identifier = "other";
  plane_.Put(url::kCluster, "good", xds::Encode(StaticCluster("good")));
  plane_.also = Field(kResources, Field(kName, "alien") + Body("type.googleapis.com/alien", "x"));
  StartAs("router");
  ASSERT_TRUE(Until([&] { return !plane_.NackOf(url::kCluster).empty(); }));
  EXPECT_NE(plane_.NackOf(url::kCluster).find("alien: it is of type 'type.googleapis.com/alien'"), std::string::npos)
      << plane_.NackOf(url::kCluster);
  EXPECT_NE(store_.clusters().Find("good"), nullptr);
  EXPECT_EQ(plane_.streams(), 1);
}

TEST_F(ControlLinkTest, CountsUpdatesOfListenersAndClustersAsEnvoyDoes) {
  plane_.Put(url::kCluster, "good", xds::Encode(StaticCluster("good")));
  StartAs("router");
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  const auto counted = [&] {
    std::string text;
    registry_.Scrape(
        {.used_only = true,
         .filter =
             [](std::string_view name) {
               return (name.starts_with("listener_manager.lds.") || name.starts_with("cluster_manager.")) &&
                      !name.ends_with("time") && !name.ends_with("version");
             }},
        text);
    return text;
  };
  EXPECT_EQ(counted(),
            "cluster_manager.cds.update_attempt: 1\ncluster_manager.cds.update_success: 1\n"
            "cluster_manager.cluster_added: 1\n"
            "listener_manager.lds.update_attempt: 1\nlistener_manager.lds.update_success: 1\n");
}

TEST_F(ControlLinkTest, CountsAnUpdateWithARefusedResourceAsRejected) {
  plane_.Put(url::kCluster, "broken", "\xff\xff");
  StartAs("router");
  ASSERT_TRUE(Until([&] { return !plane_.NackOf(url::kCluster).empty(); }));
  const record::SubscriptionStats cds(registry_, record::SubscriptionStats::Of::kClusters);
  EXPECT_EQ(cds.Value(record::SubscriptionStat::kRejected), 1u);
  EXPECT_EQ(cds.Value(record::SubscriptionStat::kSuccess), 0u);
}

TEST_F(ControlLinkTest, CountsItsConnectionAndItsStreamOnTheirClusterAsEnvoyDoes) {
  ASSERT_TRUE(store_.PutCluster(BootstrapFor(plane_.address(), "sidecar").clusters.front(), true).has_value());
  const auto counted = [&](const std::string& stat) {
    std::string text;
    registry_.Scrape({.filter = [&](std::string_view name) { return name == "cluster.xds-grpc.upstream_" + stat; }},
                     text);
    return std::stoi(text.substr(text.rfind(' ') + 1));
  };
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  for (const char* stat : {"cx_total", "cx_active", "cx_http2_total", "rq_total", "rq_active", "rq_pending_total"}) {
    EXPECT_EQ(counted(stat), 1) << stat;
  }
  EXPECT_EQ(counted("rq_pending_active"), 0);
  EXPECT_GT(counted("cx_tx_bytes_total"), 0);
  EXPECT_GT(counted("cx_rx_bytes_total"), 0);

  plane_.Stop();
  ASSERT_TRUE(Until([&] { return counted("cx_connect_fail") > 0 && counted("cx_active") == 0; }));
  EXPECT_EQ(counted("cx_destroy"), counted("cx_total"));
  EXPECT_EQ(counted("rq_total"), 1);
  EXPECT_EQ(counted("rq_active"), 0);
  EXPECT_EQ(counted("rq_pending_active"), 0);

  plane_.Start();
  ASSERT_TRUE(Until([&] { return counted("rq_active") == 1; }));
  EXPECT_EQ(counted("rq_total"), 2);
  link_.reset();
  ASSERT_TRUE(Until([&] { return counted("cx_active") == 0; }));
}

// Without it a control plane whose machine has vanished would never be missed.
TEST_F(ControlLinkTest, KeepsItsConnectionAliveAsItsClusterSays) {
  keep_alive_ = xds::TcpKeepAlive{.probes = std::nullopt, .time_s = 300, .interval_s = std::nullopt};
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  int found = 0;
  for (int fd = 0; fd < 256; ++fd) {
    int on = 0;
    int idle = 0;
    socklen_t size = sizeof on;
    if (getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size) != 0 || on == 0) continue;
    if (getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size) == 0 && idle == 300) ++found;
  }
  EXPECT_EQ(found, 1);
}

TEST_F(ControlLinkTest, ABootstrapThatNamesAClusterThatIsNotThereIsRefused) {
  bootstrap_ = BootstrapFor(plane_.address(), "sidecar");
  bootstrap_.dynamic.ads->cluster = "typo";
  link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
  const auto started = link_->Start();
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().ToString().find("no cluster 'typo' in static_resources"), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::worker
