// What becomes of pooled connections when the trust in their peers changes (semantics.md 5).
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/upstream/test_pool.h"
#include "proxy/upstream/transport.h"
#include "testing/manual_clock.h"

namespace plait::proxy::upstream {
namespace {
using namespace std::chrono_literals;

constexpr Duration kLimit = 10s;

class Judges final : public TlsContexts {
 public:
  Result<Secure> SecureFor(const std::shared_ptr<const xds::Cluster>&, const Request&) override {
    return Fail(Errc::kUnavailable, "no TLS here");
  }
  Judge JudgeFor(const cluster::Cluster&, const cluster::Host&) override {
    ++asked;
    return [this](const io::Stream&) { return standing; };
  }
  Standing standing;
  int asked = 0;
};

class Asking final : public PoolRequest {
 public:
  explicit Asking(HttpPool& pool) : PoolRequest(pool) { EXPECT_TRUE(Start()); }
  void OnReset(http::ResetReason) override { cut_off = *opened.closed_because; }

  std::optional<std::string> cut_off;
};

class TrustedPool : public testing::TestWithParam<conn::Protocol> {
 protected:
  TrustedPool() {
    PutApp(store_, {server_.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value()});
    MakePool();
  }
  // `max_concurrent_streams`: as in HttpPoolOptions.
  void MakePool(std::uint32_t max_concurrent_streams = 0) {
    HttpPoolOptions options = OptionsFor(connector_, store_.Find("app"), GetParam());
    options.max_concurrent_streams = max_concurrent_streams;
    pool_ = std::make_unique<HttpPool>(loop_, std::move(options));
  }
  void AllowConnections(std::uint32_t most) { pool_->options().cluster->state->limits[0].connections.SetMost(most); }
  bool RunUntil(const std::function<bool()>& done) { return loop_.RunUntil(done, kLimit); }
  void Answer() {
    for (conn::Responder& responder : held_) responder.Send(conn::TextResponse(200, "here"));
    held_.clear();
  }
  Asking* Begin() { return asking_.emplace_back(std::make_unique<Asking>(*pool_)).get(); }
  // A request that the server has, and has not answered yet.
  Asking* Ask() {
    const std::size_t before = held_.size();
    Asking* asking = Begin();
    EXPECT_TRUE(RunUntil([&] { return held_.size() > before; }));
    return asking;
  }
  void Finish(const Asking& asking) {
    Answer();
    EXPECT_TRUE(RunUntil([&] { return asking.over(); }));
    EXPECT_EQ(asking.status, 200);
  }

  ManualClock clock_{ManualClock::Start::kRunning};
  telemetry::Registry registry_;
  io::Loop loop_{clock_};
  DirectConnector connector_{loop_};
  cluster::ClusterStore store_{loop_, registry_, nullptr, [](const cluster::ClusterUpdate&) {}};
  std::vector<conn::Responder> held_;
  conn::HttpServer server_{loop_, conn::HttpServerOptions{},
                           [this](conn::Request, conn::Responder responder) { held_.push_back(std::move(responder)); }};
  Judges judges_;
  std::vector<std::unique_ptr<Asking>> asking_;  // outlive their streams
  std::unique_ptr<HttpPool> pool_;
};

TEST_P(TrustedPool, KeepsConnectionsThatWouldBeMadeAgain) {
  const Asking* asking = Ask();
  pool_->JudgeAgain(judges_);
  Finish(*asking);
  EXPECT_EQ(pool_->connections(), 1U);
  EXPECT_EQ(Ask()->opened.connection, asking->opened.connection);
}

TEST_P(TrustedPool, ClosesAnIdleConnectionToAPeerThatWouldBeRefused) {
  Finish(*Ask());
  judges_.standing.refusal = "revoked";
  pool_->JudgeAgain(judges_);
  EXPECT_TRUE(RunUntil([&] { return pool_->empty(); }));
}

TEST_P(TrustedPool, GivesNoNewRequestToAPeerThatWouldBeRefusedAndATimeLimitToThoseThatRun) {
  const Asking* runs = Ask();
  judges_.standing = {.refusal = "revoked", .last_requests = 40s};
  pool_->JudgeAgain(judges_);
  judges_.standing = {};
  const Asking* next = Ask();
  EXPECT_NE(next->opened.connection, runs->opened.connection);
  clock_.Advance(30s);  // the clock runs by itself, too
  loop_.RunOnce(Duration(0));
  EXPECT_FALSE(runs->over());
  clock_.Advance(10s);
  EXPECT_TRUE(RunUntil([&] { return runs->over(); }));
  EXPECT_EQ(runs->cut_off, "upstream no longer trusted: revoked");
  EXPECT_FALSE(next->over());
  Finish(*next);
}

TEST_P(TrustedPool, LetsRequestsEndThatRunOnAnOwnCertificateOfAnotherRoot) {
  const Asking* runs = Ask();
  judges_.standing.is_under_other_root = true;
  pool_->JudgeAgain(judges_);
  judges_.standing = {};
  const Asking* next = Ask();
  EXPECT_NE(next->opened.connection, runs->opened.connection);
  clock_.Advance(60s);
  loop_.RunOnce(Duration(0));
  EXPECT_FALSE(runs->over());
  Answer();
  EXPECT_TRUE(RunUntil([&] { return runs->over() && next->over(); }));
  EXPECT_EQ(runs->status, 200);
  EXPECT_TRUE(RunUntil([&] { return pool_->connections() == 1; }));
}

TEST_P(TrustedPool, JudgesAConnectionThatWasBeingMadeOnceItIsOpen) {
  const Asking* waits = Begin();
  judges_.standing.refusal = "revoked";
  pool_->JudgeAgain(judges_);
  EXPECT_TRUE(RunUntil([&] { return waits->over(); }));
  EXPECT_TRUE(waits->failure.has_value());
  EXPECT_EQ(waits->failure_reason, "upstream no longer trusted: revoked");
  EXPECT_TRUE(held_.empty());
}

TEST_P(TrustedPool, MakesAnotherConnectionWhereOneEndsBeforeItsFirstRequestForItsOwnCertificate) {
  const Asking* waits = Begin();
  judges_.standing.is_under_other_root = true;
  pool_->JudgeAgain(judges_);
  ASSERT_TRUE(RunUntil([&] { return waits->over() || !held_.empty(); }));
  EXPECT_FALSE(waits->failure.has_value()) << waits->failure_reason;
  Finish(*waits);
}

TEST_P(TrustedPool, AtTheLimitConnectsAnewThoughARequestHoldsTheOnlyConnectionOfTheOldRoot) {
  AllowConnections(1);
  const Asking* runs = Ask();
  judges_.standing.is_under_other_root = true;
  pool_->JudgeAgain(judges_);
  const Asking* next = Ask();
  EXPECT_NE(next->opened.connection, runs->opened.connection);
  EXPECT_FALSE(runs->over());
  Begin();
  loop_.RunOnce(Duration(0));
  EXPECT_EQ(pool_->connections(), 2U) << "one more than the limit, and no further";
}

TEST_P(TrustedPool, AtTheLimitConnectsForARequestThatHasWaitedForAConnectionOfTheOldRoot) {
  MakePool(/*max_concurrent_streams=*/1);
  AllowConnections(1);
  const Asking* runs = Ask();
  Begin();
  ASSERT_EQ(pool_->waiting(), 1U);
  judges_.standing.is_under_other_root = true;
  pool_->JudgeAgain(judges_);
  EXPECT_TRUE(RunUntil([&] { return held_.size() == 2; }));
  EXPECT_FALSE(runs->over());
}

TEST_P(TrustedPool, IsJudgedByWhatIsAskedForOnce) {
  MakePool(/*max_concurrent_streams=*/1);
  Ask();
  Ask();
  ASSERT_EQ(pool_->connections(), 2U);
  pool_->JudgeAgain(judges_);
  EXPECT_EQ(judges_.asked, 1);
}

INSTANTIATE_TEST_SUITE_P(Protocols, TrustedPool, testing::Values(conn::Protocol::kHttp1, conn::Protocol::kHttp2),
                         [](const auto& of) {
                           return of.param == conn::Protocol::kHttp1 ? std::string("Http1") : std::string("Http2");
                         });

}  // namespace
}  // namespace plait::proxy::upstream
