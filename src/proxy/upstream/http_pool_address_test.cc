// A host that has an address in each family, where its application listens at one of them.
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/upstream/test_pool.h"

namespace plait::proxy::upstream {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

// Remembers where it was sent.
class NotingConnector final : public Connector {
 public:
  explicit NotingConnector(io::Loop& loop) noexcept : loop_(loop) {}
  std::unique_ptr<io::Stream> Connect(const io::SocketAddress& to, const io::ConnectOptions& options) override {
    dialled.push_back(to);
    return io::Connect(loop_, to, options);
  }
  std::vector<io::SocketAddress> dialled;

 private:
  io::Loop& loop_;
};

class PoolOfTwoAddresses : public testing::TestWithParam<conn::Protocol> {
 protected:
  // Two ports where nobody listens, one in each family; `options.dial` as MakeDial makes it.
  PoolOfTwoAddresses() : store_(loop_, registry_, nullptr, [](const cluster::ClusterUpdate&) {}) {
    v6_ = io::LocalAddress(io::ListenOn(io::SocketAddress::Parse("[::1]:0").value()).value().get());
    v4_ = io::LocalAddress(io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value().get());
    cluster_ = PutApp(store_, {v6_});
    HttpPoolOptions options = OptionsFor(connector_, cluster_, GetParam());
    options.dial.other = {.address = v4_, .bind = {}};
    host_ = options.host;
    pool_ = std::make_unique<HttpPool>(loop_, std::move(options));
  }
  std::unique_ptr<conn::HttpServer> ServeAt(const io::SocketAddress& address) {
    auto server = std::make_unique<conn::HttpServer>(
        loop_, conn::HttpServerOptions{},
        [](conn::Request, conn::Responder responder) { responder.Send(conn::TextResponse(200, "here")); });
    EXPECT_TRUE(server->ListenOn(address).has_value());
    return server;
  }
  // Two requests at once, on new connections; where they were dialled.
  std::vector<io::SocketAddress> DialledByTwo(std::uint16_t status) {
    EXPECT_TRUE(loop_.RunUntil([&] { return pool_->connections() == 0; }, kLimit));
    connector_.dialled.clear();
    PoolRequest first(*pool_);
    PoolRequest second(*pool_);
    EXPECT_TRUE(first.Wait());
    EXPECT_TRUE(second.Wait());
    EXPECT_TRUE(loop_.RunUntil([&] { return first.over() && second.over(); }, kLimit));
    EXPECT_EQ(first.status, status);
    EXPECT_EQ(second.status, status);
    return connector_.dialled;
  }
  // HTTP/2 has one connection for both.
  static std::vector<io::SocketAddress> Each(std::vector<io::SocketAddress> one) {
    if (GetParam() == conn::Protocol::kHttp2) return one;
    std::vector<io::SocketAddress> each;
    for (const io::SocketAddress& address : one) each.insert(each.end(), 2, address);
    return each;
  }
  std::size_t connections() const { return GetParam() == conn::Protocol::kHttp2 ? 1 : 2; }
  std::uint64_t total() const { return host_->stats().cx_total; }
  std::uint64_t failed() const { return host_->stats().cx_connect_fail; }

  io::Loop loop_;
  NotingConnector connector_{loop_};
  telemetry::Registry registry_;
  cluster::ClusterStore store_;
  cluster::ClusterPtr cluster_;
  cluster::HostPtr host_;
  io::SocketAddress v4_, v6_;
  std::unique_ptr<HttpPool> pool_;
};

TEST_P(PoolOfTwoAddresses, DialsTheSecondWhereTheFirstRefusesAndCountsOneConnection) {
  const auto server = ServeAt(v4_);
  EXPECT_EQ(DialledByTwo(200), Each({v6_, v4_}));
  EXPECT_EQ(total(), connections());
  EXPECT_EQ(failed(), 0u);
  EXPECT_EQ(cluster_->state->limits[0].connections.used(), connections());
}

TEST_P(PoolOfTwoAddresses, BeginsWithTheOneThatWasOpenedUntilThatRefuses) {
  auto server = ServeAt(v4_);
  DialledByTwo(200);
  server.reset();
  server = ServeAt(v4_);
  EXPECT_EQ(DialledByTwo(200), Each({v4_}));
  server.reset();
  server = ServeAt(v6_);
  EXPECT_EQ(DialledByTwo(200), Each({v4_, v6_}));
  server.reset();
  server = ServeAt(v6_);
  EXPECT_EQ(DialledByTwo(200), Each({v6_}));
}

TEST_P(PoolOfTwoAddresses, FailsOnceWhereBothRefuse) {
  PoolRequest request(*pool_);
  ASSERT_TRUE(request.Start());
  ASSERT_TRUE(loop_.RunUntil([&] { return request.over() && pool_->empty(); }, kLimit));
  ASSERT_TRUE(request.failure.has_value());
  EXPECT_EQ(*request.failure, PoolFailure::kConnect);
  EXPECT_EQ(request.failure_reason, "delayed connect error: Connection refused");
  EXPECT_EQ(connector_.dialled, (std::vector{v6_, v4_}));
  EXPECT_EQ(failed(), 1u);
  EXPECT_EQ(cluster_->state->limits[0].connections.used(), 0u);
}

TEST_P(PoolOfTwoAddresses, EndsWithItsConnectionUnderWay) {
  PoolRequest request(*pool_);
  ASSERT_TRUE(request.Start());
  ASSERT_TRUE(loop_.RunUntil([&] { return connector_.dialled.size() == 2; }, kLimit));
  pool_.reset();
  EXPECT_EQ(cluster_->state->limits[0].connections.used(), 0u);
  EXPECT_EQ(host_->stats().cx_active, 0u);
}

INSTANTIATE_TEST_SUITE_P(Protocols, PoolOfTwoAddresses, testing::Values(conn::Protocol::kHttp1, conn::Protocol::kHttp2),
                         [](const auto& protocol) {
                           return protocol.param == conn::Protocol::kHttp1 ? "Http1" : "Http2";
                         });

}  // namespace
}  // namespace plait::proxy::upstream
