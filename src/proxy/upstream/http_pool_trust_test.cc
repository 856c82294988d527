// What becomes of pooled connections when the trust in their peers changes (semantics.md 5).
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/upstream/http_pool.h"
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
  Standing Judge(const cluster::Cluster&, const cluster::Host&, const io::Stream&) override { return standing; }
  Standing standing;
};

class Asking final : public HttpPool::Waiter, public http::ClientStreamEvents {
 public:
  explicit Asking(HttpPool& pool) : pool_(pool) {
    Take();
    if (opened.stream == nullptr) {
      EXPECT_TRUE(pool.Wait(*this));
    }
  }
  void OnTurn(HttpPool&) override { Take(); }
  void OnPoolFailure(PoolFailure, const std::string&) override { failed = true; }
  void OnInformational(http::ResponseHead) override {}
  void OnResponseHead(http::ResponseHead head, bool) override { status = head.status; }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override { cut_off = *opened.closed_because; }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override { closed = true; }
  bool over() const { return closed || failed; }

  HttpPool::Opened opened;
  std::uint16_t status = 0;
  std::optional<std::string> cut_off;
  bool closed = false, failed = false;

 private:
  void Take() {
    opened = pool_.Take(*this);
    if (opened.stream == nullptr) return;
    http::RequestHead head;
    head.method = "GET";
    head.scheme = "http";
    head.authority = "app";
    head.path = "/";
    opened.stream->SendHead(head, true);
  }
  HttpPool& pool_;
};

class TrustedPool : public testing::TestWithParam<conn::Protocol> {
 protected:
  TrustedPool() {
    const io::SocketAddress host = server_.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    auto config = std::make_shared<xds::Cluster>();
    config->name = config->load_assignment.cluster_name = "app";
    config->load_assignment.localities.emplace_back().endpoints.emplace_back().address = host;
    EXPECT_TRUE(store_.Put(config).has_value());
    HttpPoolOptions options;
    options.connector = &connector_;
    options.dial.address = host;
    options.connection.protocol = GetParam();
    options.cluster = store_.Find("app");
    options.host = options.cluster->priorities.at(0).all.at(0);
    pool_ = std::make_unique<HttpPool>(loop_, std::move(options));
  }
  bool RunUntil(const std::function<bool()>& done) { return loop_.RunUntil(done, kLimit); }
  void Answer() {
    for (conn::Responder& responder : held_) responder.Send(conn::TextResponse(200, "here"));
    held_.clear();
  }
  // A request that the server has, and has not answered yet.
  std::unique_ptr<Asking> Ask() {
    const std::size_t before = held_.size();
    auto asking = std::make_unique<Asking>(*pool_);
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
  std::unique_ptr<HttpPool> pool_;
};

TEST_P(TrustedPool, KeepsConnectionsThatWouldBeMadeAgain) {
  const auto asking = Ask();
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

TEST_P(TrustedPool, GivesNoNewRequestToAPeerThatWouldBeRefusedAndFiveSecondsToThoseThatRun) {
  const auto runs = Ask();
  judges_.standing.refusal = "revoked";
  pool_->JudgeAgain(judges_);
  judges_.standing = {};
  const auto next = Ask();
  EXPECT_NE(next->opened.connection, runs->opened.connection);
  clock_.Advance(4s);
  loop_.RunOnce(Duration(0));
  EXPECT_FALSE(runs->over());
  clock_.Advance(1s);
  EXPECT_TRUE(RunUntil([&] { return runs->over(); }));
  EXPECT_EQ(runs->cut_off, "upstream no longer trusted: revoked");
  EXPECT_FALSE(next->over());
  Finish(*next);
}

TEST_P(TrustedPool, LetsRequestsEndThatRunOnAnOwnCertificateOfAnotherRoot) {
  const auto runs = Ask();
  judges_.standing.is_under_other_root = true;
  pool_->JudgeAgain(judges_);
  judges_.standing = {};
  const auto next = Ask();
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
  Asking waits(*pool_);
  judges_.standing.refusal = "revoked";
  pool_->JudgeAgain(judges_);
  EXPECT_TRUE(RunUntil([&] { return waits.over(); }));
  EXPECT_TRUE(waits.failed);
  EXPECT_TRUE(held_.empty());
}

INSTANTIATE_TEST_SUITE_P(Protocols, TrustedPool, testing::Values(conn::Protocol::kHttp1, conn::Protocol::kHttp2),
                         [](const auto& of) {
                           return of.param == conn::Protocol::kHttp1 ? std::string("Http1") : std::string("Http2");
                         });

}  // namespace
}  // namespace plait::proxy::upstream
