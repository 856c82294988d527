#include "proxy/upstream/http_pool.h"

#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/cluster/cluster_set.h"

namespace plait::proxy::upstream {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

// One request: waits for a connection when there is none, then remembers how it ended.
class Exchange final : public HttpPool::Waiter, public http::ClientStreamEvents {
 public:
  explicit Exchange(HttpPool& pool) : pool_(pool) {}
  ~Exchange() override {
    if (stream_ != nullptr && !closed) stream_->Reset(http::ResetReason::kCancel);
  }

  Result<> Start() {
    Try();
    return stream_ != nullptr ? Result<>{} : pool_.Wait(*this);
  }
  void OnTurn(HttpPool&) override { Try(); }
  void OnPoolFailure(PoolFailure why, const std::string& reason) override {
    failure = why;
    failure_reason = reason;
  }

  void OnInformational(http::ResponseHead) override {}
  void OnResponseHead(http::ResponseHead head, bool) override { status = head.status; }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override { reset = true; }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override { closed = true; }

  std::optional<PoolFailure> failure;
  std::string failure_reason;
  std::uint16_t status = 0;
  bool closed = false;
  bool reset = false;

 private:
  void Try() {
    stream_ = pool_.Take(*this).stream;
    if (stream_ == nullptr) return;
    http::RequestHead head;
    head.method = "GET";
    head.scheme = "http";
    head.authority = "app";
    head.path = "/";
    stream_->SendHead(head, true);
  }
  HttpPool& pool_;
  http::ClientStream* stream_ = nullptr;
};

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
    auto config = std::make_shared<xds::Cluster>();
    config->name = "app";
    config->load_assignment.cluster_name = "app";
    config->load_assignment.localities.emplace_back().endpoints.emplace_back().address = host_;
    config->circuit_breakers = limits;
    ASSERT_TRUE(store_.Put(config).has_value());
    loop_.RunOnce(Duration(0));
    cluster_ = store_.Find("app");
    ASSERT_NE(cluster_, nullptr);
    pool_ = std::make_unique<HttpPool>(loop_, Options(most_requests));
  }
  // Of one more pool to the same host, as another worker has it.
  HttpPoolOptions Options(std::uint32_t most_requests = 0) {
    HttpPoolOptions options;
    options.connector = &connector_;
    options.dial.address = host_;
    options.connection.protocol = GetParam();
    options.max_requests_per_connection = most_requests;
    options.cluster = cluster_;
    options.host = cluster_->priorities.at(0).all.at(0);
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
    Exchange request(*pool_);
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
  Exchange first(*pool_);
  Exchange second(*pool_);
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
  Exchange first(*pool_);
  Exchange second(*pool_);
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
  Exchange first(*pool_);
  Exchange second(*pool_);
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
  Exchange first(*pool_);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(RunUntil([&] { return held_.size() == 1; }));
  HttpPool other(loop_, Options());
  Exchange second(other);
  Exchange third(other);
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
  Exchange first(*pool_);
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(RunUntil([&] { return first.closed; }));
  ASSERT_EQ(pool_->connections(), 1u) << "idle, and counted";
  HttpPool other(loop_, Options(/*most_requests=*/1));
  Exchange second(other);
  Exchange third(other);
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
  Exchange first(small);
  Exchange second(small);
  Exchange third(small);
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
    Exchange request(*pool_);
    ASSERT_TRUE(request.Start());
    ASSERT_TRUE(RunUntil([&] { return request.closed; }));
    EXPECT_EQ(request.status, 200);
    ASSERT_TRUE(RunUntil([&] { return pool_->empty(); })) << "its connection ends with it";
  }
}

TEST_P(Pool, ForgetsAWaiterThatWentAway) {
  StartServer();
  Make();
  auto gone = std::make_unique<Exchange>(*pool_);
  ASSERT_TRUE(gone->Start());
  EXPECT_EQ(pool_->waiting(), 1u);
  gone.reset();
  EXPECT_EQ(pool_->waiting(), 0u);
  EXPECT_EQ(limits().pending.used(), 0u);
  Exchange request(*pool_);
  ASSERT_TRUE(request.Start());
  ASSERT_TRUE(RunUntil([&] { return request.closed; }));
  EXPECT_EQ(request.status, 200);
}

TEST_P(Pool, LetsRunningRequestsEndWhenItDrainsAndIsEmptyThen) {
  StartServer(/*hold=*/true);
  Make();
  bool empty = false;
  pool_->OnEmpty([&] { empty = true; });
  Exchange running(*pool_);
  ASSERT_TRUE(running.Start());
  ASSERT_TRUE(RunUntil([&] { return held_.size() == 1; }));
  pool_->Drain();
  Exchange late(*pool_);
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
