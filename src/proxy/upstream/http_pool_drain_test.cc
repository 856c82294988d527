// What becomes of requests that wait for a connection when the configuration changes under them (semantics.md 6).
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/upstream/test_pool.h"

namespace plait::proxy::upstream {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

// Is given a turn only when there is a connection for it.
class Request final : public PoolRequest {
 public:
  using PoolRequest::PoolRequest;
  void OnTurn(HttpPool& pool) override {
    PoolRequest::OnTurn(pool);
    ASSERT_NE(opened.stream, nullptr);
  }
};

class DrainingPool : public testing::TestWithParam<conn::Protocol> {
 protected:
  void Make(const io::SocketAddress& host) {
    cluster_ = PutApp(store_, {host});
    pool_ = std::make_unique<HttpPool>(loop_, OptionsFor(connector_, cluster_, GetParam()));
    pool_->OnEmpty([this] { empty_ = true; });
  }
  io::SocketAddress Serve() { return server_.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value(); }
  // Of all, and of those that are left: everything was given back.
  std::size_t InUse() const {
    return cluster_->state->limits[0].connections.used() + cluster_->state->limits[0].pending.used();
  }

  telemetry::Registry registry_;
  io::Loop loop_;
  DirectConnector connector_{loop_};
  cluster::ClusterStore store_{loop_, registry_, nullptr, [](const cluster::ClusterUpdate&) {}};
  cluster::ClusterPtr cluster_;
  conn::HttpServer server_{loop_, conn::HttpServerOptions{}, [](conn::Request, conn::Responder responder) {
                             responder.Send(conn::TextResponse(200, "here"));
                           }};
  std::unique_ptr<HttpPool> pool_;
  bool empty_ = false;
};

TEST_P(DrainingPool, ServesThoseThatWaitAndIsEmptyThen) {
  Make(Serve());
  Request first(*pool_);
  Request second(*pool_);
  ASSERT_TRUE(first.Wait());
  ASSERT_TRUE(second.Wait());
  pool_->Drain();
  Request late(*pool_);
  EXPECT_FALSE(late.Wait());
  ASSERT_TRUE(loop_.RunUntil([&] { return first.closed && second.closed && empty_; }, kLimit));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(InUse(), 0U);
}

TEST_P(DrainingPool, IsEmptyWhenTheLastThatWaitsGoes) {
  Make(Serve());
  auto request = std::make_unique<Request>(*pool_);
  ASSERT_TRUE(request->Wait());
  pool_->Drain();
  request.reset();
  ASSERT_TRUE(loop_.RunUntil([&] { return empty_; }, kLimit));
  EXPECT_EQ(InUse(), 0U);
}

TEST_P(DrainingPool, FailsThoseThatWaitWhenItCannotConnect) {
  io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  const io::SocketAddress closed = io::LocalAddress(socket.get());
  socket.Reset();
  Make(closed);
  Request request(*pool_);
  ASSERT_TRUE(request.Wait());
  pool_->Drain();
  ASSERT_TRUE(loop_.RunUntil([&] { return request.failure.has_value() && empty_; }, kLimit));
  EXPECT_EQ(cluster_->state->stats.Value(static_cast<std::size_t>(cluster::ClusterStat::kUpstreamCxConnectFail)), 1U);
  EXPECT_EQ(InUse(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Protocols, DrainingPool, testing::Values(conn::Protocol::kHttp1, conn::Protocol::kHttp2),
                         [](const auto& protocol) {
                           return protocol.param == conn::Protocol::kHttp1 ? "Http1" : "Http2";
                         });

}  // namespace
}  // namespace plait::proxy::upstream
