// The line to the control plane against a control plane on loopback that answers what it is told to.
#include "proxy/worker/control_link.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <set>

#include "core/conn/http_server.h"
#include "core/grpc/server.h"
#include "core/telemetry/registry.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"
#include "proxy/record/log_writer.h"
#include "testing/manual_clock.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;
constexpr Duration kLimit = std::chrono::seconds(5);

// Answers each subscription from what it holds; a name that it lacks comes back as removed.
class FakeControlPlane {
 public:
  explicit FakeControlPlane(io::Loop& loop) : loop_(loop), grpc_(loop) {
    grpc_.AddStreaming(xds::kDeltaAdsMethod, [this](grpc::ServerCall& call) -> std::unique_ptr<grpc::CallHandler> {
      ++streams_;
      if (!refusal.ok()) {
        call.Finish(refusal);
        return nullptr;
      }
      return std::make_unique<Stream>(*this, call);
    });
    Start();
  }
  // Where it was before, if it was stopped.
  void Start() {
    http_.emplace(loop_, conn::HttpServerOptions{}, grpc_);
    conn::HttpServer::MakeStream make;
    if (tls)
      make = [this](io::UniqueFd socket) {
        ++handshakes;
        return tls::Wrap(loop_, io::AdoptSocket(loop_, std::move(socket)), tls);
      };
    address_ = *http_->ListenOn(address_, std::move(make));
  }
  void Stop() { http_.reset(); }
  io::SocketAddress address() const { return address_; }
  void Put(std::string_view type, std::string name, std::string bytes) {
    resources_[{std::string(type), name}] = {
        .name = name, .version = std::to_string(++version_), .aliases = {}, .bytes = std::move(bytes)};
  }
  bool Asked(std::string_view type, const std::string& name) const {
    return asked_.contains({std::string(type), name});
  }
  // The text of the last NACK of a type; empty: the last answer to it was an ACK.
  std::string NackOf(std::string_view type) const {
    const auto found = nacks_.find(type);
    return found == nacks_.end() ? std::string() : found->second;
  }
  grpc::Status refusal;                     // of each stream, unless it is OK
  std::shared_ptr<const tls::Context> tls;  // from the next Start on; null: plaintext
  int handshakes = 0;                       // begun
  std::string identifier = "plaitd";
  std::string tenant;  // of the last stream
  int streams() const { return streams_; }
  std::size_t acknowledgements() const { return acknowledgements_; }

 private:
  class Stream final : public grpc::CallHandler {
   public:
    Stream(FakeControlPlane& plane, grpc::ServerCall& call) : plane_(plane), call_(call) {
      plane_.tenant = std::string(call.context().metadata.Get("x-tenant").value_or(""));
    }
    void OnMessage(std::string message) override {
      const auto request = xds::DecodeDeltaRequest(message);
      ASSERT_TRUE(request.has_value());
      if (!request->response_nonce.empty()) {
        ++plane_.acknowledgements_;
        plane_.nacks_[request->type_url] = request->error.value_or("");
      }
      if (!request->subscribe.empty()) Answer(*request);
    }
    void OnHalfClose() override {}

   private:
    void Answer(const xds::DeltaRequest& request) {
      xds::DeltaResponse response{.type_url = request.type_url,
                                  .nonce = std::to_string(++plane_.version_),
                                  .system_version = "1",
                                  .control_plane = plane_.identifier,
                                  .resources = {},
                                  .removed = {}};
      for (const std::string& name : request.subscribe) {
        plane_.asked_.emplace(request.type_url, name);
        const auto found = plane_.resources_.find({request.type_url, name});
        if (found != plane_.resources_.end()) response.resources.push_back(found->second);
        if (found == plane_.resources_.end() && name != "*") response.removed.push_back(name);
        if (name != "*") continue;
        for (const auto& [key, resource] : plane_.resources_)
          if (key.first == request.type_url) response.resources.push_back(resource);
      }
      call_.Send(xds::EncodeDeltaResponse(response));
    }
    FakeControlPlane& plane_;
    grpc::ServerCall& call_;
  };

  io::Loop& loop_;
  grpc::Server grpc_;
  std::optional<conn::HttpServer> http_;
  io::SocketAddress address_ = *io::SocketAddress::Parse("127.0.0.1:0");
  std::map<std::pair<std::string, std::string>, xds::WireResource> resources_;
  std::set<std::pair<std::string, std::string>> asked_;
  std::map<std::string, std::string, std::less<>> nacks_;
  std::size_t acknowledgements_ = 0;
  int version_ = 0;
  int streams_ = 0;
};

xds::Bootstrap BootstrapFor(const io::SocketAddress& control, const std::string& kind,
                            std::optional<xds::TcpKeepAlive> keep_alive = std::nullopt) {
  xds::Bootstrap bootstrap;
  bootstrap.node.id = kind + "~10.0.0.1~a.default~default.svc.cluster.local";
  auto cluster = std::make_shared<xds::Cluster>();
  cluster->name = "xds-grpc";
  cluster->tcp_keep_alive = keep_alive;
  cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address = control;
  bootstrap.clusters.emplace_back();
  bootstrap.clusters.back().name = cluster->name;
  bootstrap.clusters.back().value = cluster;
  bootstrap.dynamic.ads = xds::GrpcTarget{.cluster = "xds-grpc", .authority = {}, .initial_metadata = {}};
  bootstrap.dynamic.lds = bootstrap.dynamic.cds = true;
  return bootstrap;
}

xds::Cluster StaticCluster(const std::string& name) {
  xds::Cluster cluster;
  cluster.name = name;
  cluster.load_assignment.cluster_name = name;
  return cluster;
}

class ControlLinkTest : public testing::Test {
 protected:
  void StartAs(const std::string& kind) {
    bootstrap_ = BootstrapFor(plane_.address(), kind, keep_alive_);
    if (plane_.tls) UseTls();
    link_ = std::make_unique<ControlLink>(loop_, bootstrap_, store_, secrets_);
    const auto started = link_->Start();
    ASSERT_TRUE(started.has_value()) << started.error().ToString();
  }
  void UseTls() {
    auto cluster = std::make_shared<xds::Cluster>(*bootstrap_.clusters.front().value);
    cluster->tls = xds::UpstreamTlsContext{};
    cluster->tls->sni = "plaitd";
    cluster->tls->common.validation = xds::ValidationContext{};
    cluster->tls->common.validation->trusted_ca = {xds::DataSource::Kind::kInline, ca_.root_pem()};
    bootstrap_.clusters.front().value = cluster;
  }
  static std::shared_ptr<const tls::Context> PlaneTls(const tls::TestCa& ca, tls::PeerPolicy::Certificate of_clients) {
    tls::ContextOptions options;
    options.server = true;
    options.identities = {ca.Issue("", "plaitd")};
    options.bundle_pem = ca.root_pem();
    options.peer.certificate = of_clients;
    options.alpn = {"h2"};
    return *tls::Context::Make(options);
  }
  void RestartPlane(std::shared_ptr<const tls::Context> context) {
    plane_.Stop();
    if (link_) {
      ASSERT_TRUE(Until([&] { return !link_->connected(); }));
    }
    plane_.tls = std::move(context);
    plane_.Start();
  }
  // A second attempt tells that the first is over. In small steps: a handshake has its own limit.
  void AwaitTwoAttempts() {
    const int end = plane_.handshakes + 2;
    ASSERT_TRUE(Until([&] {
      clock_.Advance(std::chrono::milliseconds(5));
      return plane_.handshakes >= end;
    }));
  }
  // Whether an address that is not in the index is taken for one outside once the control plane has been silent.
  bool LastIndexAnswers() {
    std::optional<Result<cluster::Destination>> found;
    const Pending wait = store_.NeedDestination(*io::IpAddress::Parse("192.0.2.1"), std::chrono::hours(1),
                                                [&](Result<cluster::Destination> is) { found = std::move(is); });
    clock_.Advance(ControlLink::kAwayAfter * 2);
    for (int i = 0; i < 20; ++i) {
      loop_.RunOnce(Duration::zero());
      clock_.Advance(std::chrono::milliseconds(5));
    }
    return found.has_value();
  }
  bool Until(const std::function<bool()>& done) { return loop_.RunUntil(done, kLimit); }
  // Whether the cluster came; nullopt: nobody answered.
  std::optional<bool> Need(const std::string& name) {
    std::optional<bool> answer;
    const Pending wait =
        store_.Need(MainDemands::Kind::kCluster, name, kLimit * 2, [&](bool there) { answer = there; });
    Until([&] { return answer.has_value(); });
    return answer;
  }

  ManualClock clock_{ManualClock::Start::kRunning};
  io::Loop loop_{clock_};
  telemetry::Registry registry_;
  record::LogWriter logs_;
  Secrets secrets_;
  Sockets sockets_{{}};
  ConfigStore store_{loop_, {registry_, logs_}, secrets_, sockets_, "", std::chrono::seconds(1)};
  tls::TestCa ca_;
  FakeControlPlane plane_{loop_};
  std::optional<xds::TcpKeepAlive> keep_alive_;
  xds::Bootstrap bootstrap_;
  std::unique_ptr<ControlLink> link_;
};

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

TEST_F(ControlLinkTest, WhileTheControlPlaneIsAwayTheLastIndexAnswersButNotAtOnce) {
  const auto look_up = [&](const char* ip, std::optional<Result<cluster::Destination>>& found) {
    return store_.NeedDestination(*io::IpAddress::Parse(ip), std::chrono::hours(1),
                                  [&found](Result<cluster::Destination> is) { found = std::move(is); });
  };
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  plane_.Stop();
  ASSERT_TRUE(Until([&] { return !link_->connected(); }));
  std::optional<Result<cluster::Destination>> first;
  const Pending wait = look_up("192.0.2.1", first);
  for (int i = 0; i < 3; ++i) loop_.RunOnce(Duration::zero());
  EXPECT_FALSE(first);
  clock_.Advance(ControlLink::kAwayAfter);
  ASSERT_TRUE(Until([&] { return first.has_value(); }));
  ASSERT_TRUE(*first);
  EXPECT_TRUE((*first)->known && !(*first)->in_mesh());

  plane_.Start();
  clock_.Advance(std::chrono::seconds(30));  // the longest pause between two attempts
  ASSERT_TRUE(Until([&] { return link_->connected(); }));
  std::optional<Result<cluster::Destination>> second;
  const Pending ask = look_up("192.0.2.2", second);
  ASSERT_TRUE(Until([&] { return second.has_value(); }));
  EXPECT_TRUE(plane_.Asked(url::kAddress, xds::AddressKey("", *io::IpAddress::Parse("192.0.2.2"))));
}

// It is there, and knows more than the last index: an address that is not in that may be a pod.
TEST_F(ControlLinkTest, AControlPlaneThatRefusesTheProxyIsNotAway) {
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); }));
  plane_.refusal = {.code = grpc::Code::kPermissionDenied, .message = "no", .details = {}};
  plane_.Stop();
  ASSERT_TRUE(Until([&] { return !link_->connected(); }));
  plane_.Start();
  const auto refused = [&] { return link_->problem().find("PERMISSION_DENIED") != std::string::npos; };
  ASSERT_TRUE(Until(refused));
  EXPECT_FALSE(LastIndexAnswers());
  plane_.Stop();
  clock_.Advance(std::chrono::seconds(30));  // the longest pause between two attempts
  ASSERT_TRUE(Until([&] { return !refused(); }));
  EXPECT_TRUE(LastIndexAnswers());
}

// One whose roots or trust domain have changed.
TEST_F(ControlLinkTest, AControlPlaneThatRefusesTheCertificateIsNotAway) {
  RestartPlane(PlaneTls(ca_, tls::PeerPolicy::Certificate::kNone));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); })) << link_->problem();
  RestartPlane(PlaneTls(ca_, tls::PeerPolicy::Certificate::kRequired));
  AwaitTwoAttempts();
  EXPECT_FALSE(LastIndexAnswers()) << link_->problem();
}

TEST_F(ControlLinkTest, AControlPlaneThatIsNotTrustedIsNotAway) {
  RestartPlane(PlaneTls(ca_, tls::PeerPolicy::Certificate::kNone));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); })) << link_->problem();
  RestartPlane(PlaneTls(tls::TestCa("another root"), tls::PeerPolicy::Certificate::kNone));
  AwaitTwoAttempts();
  EXPECT_FALSE(LastIndexAnswers()) << link_->problem();
}

TEST_F(ControlLinkTest, OfAControlPlaneThatNeverSpokeNoIndexStands) {
  plane_.Stop();
  StartAs("sidecar");
  std::optional<Result<cluster::Destination>> found;
  const Pending wait = store_.NeedDestination(*io::IpAddress::Parse("192.0.2.1"), ControlLink::kAwayAfter * 2,
                                              [&](Result<cluster::Destination> is) { found = std::move(is); });
  ASSERT_TRUE(Until([&] { return !link_->problem().empty() && link_->problem() != "not connected yet"; }));
  clock_.Advance(ControlLink::kAwayAfter * 3);
  ASSERT_TRUE(Until([&] { return found.has_value(); }));
  EXPECT_FALSE(*found);
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
