// When a control plane counts as away, so that the last index answers, and when it does not.
#include "core/xds/type_url.h"
#include "proxy/worker/test_control_plane.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;

class ControlPlaneAway : public ControlLinkTest {
 protected:
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
};

TEST_F(ControlPlaneAway, WhileTheControlPlaneIsAwayTheLastIndexAnswersButNotAtOnce) {
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
TEST_F(ControlPlaneAway, AControlPlaneThatRefusesTheProxyIsNotAway) {
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
TEST_F(ControlPlaneAway, AControlPlaneThatRefusesTheCertificateIsNotAway) {
  RestartPlane(PlaneTls(ca_, tls::PeerPolicy::Certificate::kNone));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); })) << link_->problem();
  RestartPlane(PlaneTls(ca_, tls::PeerPolicy::Certificate::kRequired));
  AwaitTwoAttempts();
  EXPECT_FALSE(LastIndexAnswers()) << link_->problem();
}

TEST_F(ControlPlaneAway, AControlPlaneThatIsNotTrustedIsNotAway) {
  RestartPlane(PlaneTls(ca_, tls::PeerPolicy::Certificate::kNone));
  StartAs("sidecar");
  ASSERT_TRUE(Until([&] { return link_->ready(); })) << link_->problem();
  RestartPlane(PlaneTls(tls::TestCa("another root"), tls::PeerPolicy::Certificate::kNone));
  AwaitTwoAttempts();
  EXPECT_FALSE(LastIndexAnswers()) << link_->problem();
}

TEST_F(ControlPlaneAway, OfAControlPlaneThatNeverSpokeNoIndexStands) {
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

}  // namespace
}  // namespace plait::proxy::worker
