#include "proxy/upstream/http_pool.h"

#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/upstream/test_pool.h"

namespace plait::proxy::upstream {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

class Pool : public testing::TestWithParam<conn::Protocol> {
 protected:
  Pool() : store_(loop_, registry_, nullptr, [](const cluster::ClusterUpdate&) {}) {}

  // A server that answers each request at once, or keeps them all until `held_` goes.
  void StartServer(bool hold = false) {
    server_ = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                                 [this, hold](conn::Request, conn::Responder responder) {
                                                   if (hold) {
                                                     held_.push_back(std::move(responder));
                                                   } else {
                                                     responder.Send(conn::TextResponse(200, "here"));
                                                   }
                                                 });
    host_ = server_->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  }
  // A port that refuses: it was listened on, and is no more.
  void UseAClosedPort() {
    const io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    host_ = io::LocalAddress(socket.get());
  }

  void Make(const xds::CircuitBreakers& limits = {}, std::uint32_t most_requests = 0) {
    cluster_ = PutApp(store_, {host_}, limits);
    ASSERT_NE(cluster_, nullptr);
    pool_ = std::make_unique<HttpPool>(loop_, Options(most_requests));
  }
  // Of one more pool to the same host, as another worker has it.
  HttpPoolOptions Options(std::uint32_t most_requests = 0) {
    HttpPoolOptions options = OptionsFor(connector_, cluster_, GetParam());
    options.max_requests_per_connection = most_requests;
    return options;
  }
  bool RunUntil(const std::function<bool()>& done) { return loop_.RunUntil(done, kLimit); }
  const cluster::ClusterLimits& limits() const { return cluster_->state->limits[0]; }

  io::Loop loop_;
  DirectConnector connector_{loop_};
  telemetry::Registry registry_;
  cluster::ClusterStore store_;
  cluster::ClusterPtr cluster_;
  std::unique_ptr<conn::HttpServer> server_;
  std::vector<conn::Responder> held_;
  io::SocketAddress host_;
  std::unique_ptr<HttpPool> pool_;
};

TEST_P(Pool, ServesTheNextRequestOnTheSameConnection) {
  StartServer();
  Make();
  for (int i = 0; i < 3; ++i) {
    PoolRequest request(*pool_);
    ASSERT_TRUE(request.Start());
    ASSERT_TRUE(RunUntil([&] { return request.closed; }));
    EXPECT_EQ(request.status, 200);
  }
  EXPECT_EQ(pool_->connections(), 1u);
  EXPECT_EQ(limits().connections.used(), 1u);
  EXPECT_EQ(limits().pending.used(), 0u);
}

TEST_P(Pool, OpensAConnectionForEachRequestOfHttp1AndOneForAllOfHttp2) {
  StartServer(/*hold=*/true);
  Make();
  PoolRequest first(*pool_);
  PoolRequest second(*pool_);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(second.Start());
  ASSERT_TRUE(RunUntil([&] { return held_.size() == 2; }));
  EXPECT_EQ(pool_->connections(), GetParam() == conn::Protocol::kHttp2 ? 1u : 2u);
  for (conn::Responder& responder : held_) responder.Send(conn::TextResponse(204, ""));
  ASSERT_TRUE(RunUntil([&] { return first.closed && second.closed; }));
  EXPECT_EQ(first.status, 204);
  EXPECT_EQ(second.status, 204);
}

TEST_P(Pool, FailsAllThatWaitWhenNobodyListens) {
  UseAClosedPort();
  Make();
  PoolRequest first(*pool_);
  PoolRequest second(*pool_);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(second.Start());
  ASSERT_TRUE(RunUntil([&] { return first.failure && second.failure; }));
  EXPECT_EQ(*first.failure, PoolFailure::kConnect);
  EXPECT_FALSE(first.failure_reason.empty());
  ASSERT_TRUE(RunUntil([&] { return pool_->empty(); }));
  EXPECT_EQ(limits().connections.used(), 0u);
}

TEST_P(Pool, RefusesAtOnceWhatIsBeyondTheLimitOfThoseThatWait) {
  StartServer();
  Make({.max_pending_requests = 1});
  PoolRequest first(*pool_);
  PoolRequest second(*pool_);
  ASSERT_TRUE(first.Start());
  const Result<> refused = second.Start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
  ASSERT_TRUE(RunUntil([&] { return first.closed; }));
  EXPECT_EQ(first.status, 200);
}

TEST_P(Pool, WaitsForTheConnectionOfAnotherPoolUnlessOneCarriesManyRequests) {
  StartServer(/*hold=*/true);
  Make({.max_connections = 1});
  const bool http2 = GetParam() == conn::Protocol::kHttp2;
  PoolRequest first(*pool_);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(RunUntil([&] { return held_.size() == 1; }));
  HttpPool other(loop_, Options());
  PoolRequest second(other);
  PoolRequest third(other);
  ASSERT_TRUE(second.Start());
  ASSERT_TRUE(third.Start()) << "it waits, as with one worker";
  // With HTTP/2 the others are served at once, as they would be by the first connection if it were their worker's.
  ASSERT_TRUE(RunUntil([&] { return held_.size() == (http2 ? 3u : 1u); }));
  EXPECT_EQ(other.connections(), http2 ? 1u : 0u);
  EXPECT_EQ(limits().connections.used(), http2 ? 2u : 1u);
  for (std::size_t i = 0; !first.closed || !second.closed || !third.closed; ++i) {
    ASSERT_TRUE(RunUntil([&] { return held_.size() > i; }));
    EXPECT_LE(limits().connections.used(), http2 ? 2u : 1u);
    held_[i].Send(conn::TextResponse(200, ""));
    ASSERT_TRUE(RunUntil([&] { return held_.size() > i + 1 || (first.closed && second.closed && third.closed); }));
  }
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(third.status, 200);
  EXPECT_EQ(pool_->connections(), http2 ? 1u : 0u) << "an idle connection is given up for who waits";
}

TEST_P(Pool, ReplacesItsLastConnectionAtTheLimitWhileSomebodyWaits) {
  StartServer();
  Make({.max_connections = 1});
  PoolRequest first(*pool_);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(RunUntil([&] { return first.closed; }));
  ASSERT_EQ(pool_->connections(), 1u) << "idle, and counted";
  HttpPool other(loop_, Options(/*most_requests=*/1));
  PoolRequest second(other);
  PoolRequest third(other);
  ASSERT_TRUE(second.Start());
  ASSERT_TRUE(third.Start());
  ASSERT_TRUE(RunUntil([&] { return second.closed && third.closed; }));
  EXPECT_EQ(third.status, 200);
  ASSERT_TRUE(RunUntil([&] { return other.empty(); }));
  EXPECT_EQ(limits().connections.used(), 0u);
  EXPECT_EQ(pool_->connections(), 0u) << "its idle one was given up";
}

TEST_P(Pool, GivesAPlaceThatBecameFreeToWhoWaitsBelowItsOwnLimitOfStreams) {
  StartServer(/*hold=*/true);
  Make({.max_connections = 1});
  HttpPoolOptions options = Options();
  options.max_concurrent_streams = 2;
  HttpPool small(loop_, std::move(options));
  const std::size_t together = GetParam() == conn::Protocol::kHttp2 ? 2 : 1;
  PoolRequest first(small);
  PoolRequest second(small);
  PoolRequest third(small);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(second.Start());
  ASSERT_TRUE(third.Start());
  ASSERT_TRUE(RunUntil([&] { return held_.size() == together; }));
  held_[0].Send(conn::TextResponse(200, ""));
  ASSERT_TRUE(RunUntil([&] { return held_.size() == together + 1; })) << "the others go on meanwhile";
  EXPECT_EQ(small.connections(), 1u);
  for (std::size_t i = 1; i < 3; ++i) {
    ASSERT_TRUE(RunUntil([&] { return held_.size() > i; }));
    held_[i].Send(conn::TextResponse(200, ""));
  }
  ASSERT_TRUE(RunUntil([&] { return first.closed && second.closed && third.closed; }));
}

TEST_P(Pool, EndsAConnectionAfterTheMostRequestsThatItMayCarry) {
  StartServer();
  Make({}, /*most_requests=*/1);
  for (int i = 0; i < 2; ++i) {
    PoolRequest request(*pool_);
    ASSERT_TRUE(request.Start());
    ASSERT_TRUE(RunUntil([&] { return request.closed; }));
    EXPECT_EQ(request.status, 200);
    ASSERT_TRUE(RunUntil([&] { return pool_->empty(); })) << "its connection ends with it";
  }
}

TEST_P(Pool, ForgetsAWaiterThatWentAway) {
  StartServer();
  Make();
  auto gone = std::make_unique<PoolRequest>(*pool_);
  ASSERT_TRUE(gone->Start());
  EXPECT_EQ(pool_->waiting(), 1u);
  gone.reset();
  EXPECT_EQ(pool_->waiting(), 0u);
  EXPECT_EQ(limits().pending.used(), 0u);
  PoolRequest request(*pool_);
  ASSERT_TRUE(request.Start());
  ASSERT_TRUE(RunUntil([&] { return request.closed; }));
  EXPECT_EQ(request.status, 200);
}

TEST_P(Pool, LetsRunningRequestsEndWhenItDrainsAndIsEmptyThen) {
  StartServer(/*hold=*/true);
  Make();
  bool empty = false;
  pool_->OnEmpty([&] { empty = true; });
  PoolRequest running(*pool_);
  ASSERT_TRUE(running.Start());
  ASSERT_TRUE(RunUntil([&] { return held_.size() == 1; }));
  pool_->Drain();
  PoolRequest late(*pool_);
  EXPECT_FALSE(late.Start());
  EXPECT_FALSE(empty);
  held_.front().Send(conn::TextResponse(200, "the last"));
  ASSERT_TRUE(RunUntil([&] { return running.closed && empty; }));
  EXPECT_EQ(running.status, 200);
  EXPECT_EQ(limits().connections.used(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Protocols, Pool, testing::Values(conn::Protocol::kHttp1, conn::Protocol::kHttp2),
                         [](const auto& protocol) {
                           return protocol.param == conn::Protocol::kHttp1 ? "Http1" : "Http2";
                         });

}  // namespace
}  // namespace plait::proxy::upstream
