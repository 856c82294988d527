// max_connections of a cluster over the pools of several workers: the same answers with one worker and with four.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/conn/http_server.h"
#include "proxy/upstream/test_pool.h"

namespace plait::proxy::upstream {
namespace {

constexpr Duration kLimit = std::chrono::seconds(20);

// Starts at once, and waits again should its turn come to nothing.
class Request final : public PoolRequest {
 public:
  explicit Request(HttpPool& pool) : PoolRequest(pool) { Ask(); }
  void OnTurn(HttpPool&) override { Ask(); }

 private:
  void Ask() { EXPECT_TRUE(Start()); }
};

// Requests through one pool, so many at a time.
class Load {
 public:
  Load(HttpPool& pool, int total, std::size_t together) : pool_(pool), left_(total), together_(together) {}
  // Starts what may run; counts what is over.
  void Step() {
    std::erase_if(running_, [&](const auto& one) {
      if (one->over()) ++(one->status == 200 ? answered : failed);
      return one->over();
    });
    for (; left_ > 0 && running_.size() < together_; --left_) running_.push_back(std::make_unique<Request>(pool_));
  }
  bool over() const { return left_ == 0 && running_.empty(); }
  int answered = 0;
  int failed = 0;

 private:
  HttpPool& pool_;
  int left_;
  const std::size_t together_;
  std::vector<std::unique_ptr<Request>> running_;
};

class Limited : public testing::Test {
 protected:
  Limited() : store_(loop_, registry_, nullptr, [](const cluster::ClusterUpdate&) {}) {
    server_ = std::make_unique<conn::HttpServer>(
        loop_, conn::HttpServerOptions{},
        [](conn::Request, conn::Responder responder) { responder.Send(conn::TextResponse(200, "here")); });
    for (int i = 0; i < 2; ++i)
      hosts_.push_back(server_->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value());
  }
  void Make(std::uint32_t max_connections) { cluster_ = PutApp(store_, hosts_, {.max_connections = max_connections}); }
  HttpPoolOptions Options(Connector& connector, std::size_t host = 0) const {
    return OptionsFor(connector, cluster_, conn::Protocol::kHttp1, host);
  }
  const cluster::ConnectionLimit& limit() const { return cluster_->state->limits[0].connections; }

  // Four workers, each with a thread of its own, and this one as the server. Returns the most connections at a time.
  std::uint32_t RunWorkers(int total, std::size_t together, std::array<int, 4>& answered) {
    std::atomic<int> running = 4;
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < 4; ++i) {
      workers.emplace_back([&, i] {
        {
          io::Loop loop;
          DirectConnector connector(loop);
          HttpPool pool(loop, Options(connector));
          Load load(pool, total, together);
          EXPECT_TRUE(loop.RunUntil(
              [&] {
                load.Step();
                return load.over();
              },
              kLimit));
          answered[i] = load.answered;
        }
        --running;
      });
    }
    std::uint32_t most = 0;
    EXPECT_TRUE(loop_.RunUntil(
        [&] {
          most = std::max(most, limit().used());
          return running == 0;
        },
        2 * kLimit));
    for (std::thread& worker : workers) worker.join();
    return most;
  }

  io::Loop loop_;
  DirectConnector connector_{loop_};
  telemetry::Registry registry_;
  cluster::ClusterStore store_;
  cluster::ClusterPtr cluster_;
  std::unique_ptr<conn::HttpServer> server_;
  std::vector<io::SocketAddress> hosts_;
};

TEST_F(Limited, FourWorkersShareOneConnectionAndEveryRequestIsAnswered) {
  Make(/*max_connections=*/1);
  std::array<int, 4> answered{};
  EXPECT_EQ(RunWorkers(/*total=*/60, /*together=*/3, answered), 1u);
  EXPECT_EQ(answered, (std::array{60, 60, 60, 60}));
  EXPECT_EQ(limit().used(), 0u);
  EXPECT_FALSE(limit().waited_for());
}

TEST_F(Limited, FourWorkersShareThreeConnections) {
  Make(/*max_connections=*/3);
  std::array<int, 4> answered{};
  EXPECT_LE(RunWorkers(/*total=*/60, /*together=*/3, answered), 3u);
  EXPECT_EQ(answered, (std::array{60, 60, 60, 60}));
}

TEST_F(Limited, WhoWaitsGetsItsTurnAlthoughTheOtherPoolIsNeverIdle) {
  Make(/*max_connections=*/1);
  HttpPool busy(loop_, Options(connector_));
  Load endless(busy, 1'000'000, 3);
  endless.Step();
  ASSERT_TRUE(loop_.RunUntil([&] { return busy.connections() == 1; }, kLimit));
  HttpPool other(loop_, Options(connector_));
  const Request request(other);
  EXPECT_TRUE(loop_.RunUntil(
      [&] {
        endless.Step();
        return request.closed;
      },
      kLimit));
  EXPECT_EQ(request.status, 200);
  EXPECT_EQ(endless.failed, 0);
}

TEST_F(Limited, AnIdleConnectionToAnotherHostIsGivenUp) {
  Make(/*max_connections=*/2);
  HttpPool one(loop_, Options(connector_, 0));
  Load load(one, 2, 2);
  ASSERT_TRUE(loop_.RunUntil(
      [&] {
        load.Step();
        return load.over();
      },
      kLimit));
  ASSERT_EQ(one.connections(), 2u) << "idle, both";
  HttpPool other(loop_, Options(connector_, 1));
  Load more(other, 2, 2);
  ASSERT_TRUE(loop_.RunUntil(
      [&] {
        more.Step();
        return more.over();
      },
      kLimit));
  EXPECT_EQ(more.answered, 2);
  EXPECT_LE(limit().used(), 3u) << "the first to the second host may be beyond the limit, no other";
}

TEST_F(Limited, OnePoolHasTheSameAnswersAsFour) {
  Make(/*max_connections=*/1);
  HttpPool pool(loop_, Options(connector_));
  Load load(pool, 60, 12);
  ASSERT_TRUE(loop_.RunUntil(
      [&] {
        load.Step();
        EXPECT_LE(limit().used(), 1u);
        return load.over();
      },
      kLimit));
  EXPECT_EQ(load.answered, 60);
}

TEST_F(Limited, ANewConfigurationNeedNotWaitForRequestsOfTheOldOne) {
  Make(/*max_connections=*/1);
  HttpPool old(loop_, Options(connector_));
  const Request running(old);
  ASSERT_TRUE(loop_.RunUntil([&] { return old.connections() == 1 && old.waiting() == 0; }, kLimit));
  HttpPool next(loop_, Options(connector_));
  const Request waiting(next);
  EXPECT_EQ(next.connections(), 0u);
  old.Drain();
  EXPECT_TRUE(loop_.RunUntil([&] { return waiting.closed; }, kLimit));
}

}  // namespace
}  // namespace plait::proxy::upstream
