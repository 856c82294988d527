#include "load.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/conn/http_server.h"

namespace plait::demo {
namespace {
using namespace std::chrono_literals;

class Hands final : public Clock {
 public:
  MonotonicTime Now() const noexcept override { return now; }
  WallTime Wall() const noexcept override { return WallTime{}; }
  MonotonicTime now = MonotonicTime{} + 1h;
};

// A server that answers only while it does not stall; time passes when the test says so.
class LoadOfAServer : public testing::Test {
 protected:
  LoadOptions Options() const {
    LoadOptions options;
    options.url = {.host = "127.0.0.1", .port = address_.port.value, .target = "/"};
    options.connections = 2;
    options.rate = 100;
    return options;
  }
  void Until(const std::function<bool()>& done) { ASSERT_TRUE(loop_.RunUntil(done, 10s)); }
  void TimePassesUntil(const std::function<bool()>& done) {
    Until([&] {
      clock_.now += 100us;
      return done();
    });
  }
  // In small steps; what is due is answered within its step unless the server stalls.
  void Pass(Load& load, Duration time) {
    for (Duration gone{}; gone < time; gone += 10ms) {
      clock_.now += 10ms;
      if (stalls_) {
        loop_.RunOnce(0ms);
      } else {
        const std::uint64_t due = static_cast<std::uint64_t>((clock_.now - begin_) / 10ms) + 1;
        Until([&] { return load.report().micros.size() + held_.size() >= due; });
      }
    }
  }
  void Answer() {
    stalls_ = false;
    for (conn::Responder& responder : held_) responder.Send({});
    held_.clear();
  }

  Hands clock_;
  const MonotonicTime begin_ = clock_.now;
  io::Loop loop_{clock_};
  bool stalls_ = false;
  bool closes_ = false;  // each connection with its answer
  std::vector<conn::Responder> held_;
  conn::HttpServer server_{loop_, {}, [this](conn::Request, conn::Responder responder) {
                             if (stalls_) return held_.push_back(std::move(responder));
                             conn::Response response;
                             if (closes_) response.headers.Add("connection", "close");
                             responder.Send(std::move(response));
                           }};
  const io::SocketAddress address_ = server_.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")).value();
};

TEST_F(LoadOfAServer, IsAskedAtAConstantRate) {
  Load load(loop_, Options(), {address_});
  Pass(load, 1s);
  load.Stop();
  Until([&] { return load.done(); });
  EXPECT_EQ(load.report().sent, 101U);  // the first at once
  EXPECT_EQ(load.report().asked_for, 1s);
  EXPECT_LE(load.report().longest, 10ms);
  EXPECT_EQ(load.report().failed(), 0U);
}

TEST_F(LoadOfAServer, ThatStallsIsAskedAllTheSameAndTheWaitIsTheLatencyOfWhatWasDue) {
  Load load(loop_, Options(), {address_});
  Pass(load, 1s);
  stalls_ = true;
  Pass(load, 1s);
  EXPECT_EQ(load.report().sent, 103U);  // no connection is free
  Answer();
  const auto due = [&] { return static_cast<std::uint64_t>((clock_.now - begin_) / 10ms) + 1; };
  TimePassesUntil([&] { return load.report().sent == due(); });
  load.Stop();
  TimePassesUntil([&] { return load.done(); });
  EXPECT_GE(load.report().sent, 201U);
  EXPECT_GE(load.report().longest, 980ms);
  EXPECT_GE(std::ranges::count_if(load.report().micros, [](std::uint32_t wait) { return wait >= 500'000; }), 50);
}

TEST_F(LoadOfAServer, ThatStallsForLongIsGivenUpRequestByRequest) {
  LoadOptions options = Options();
  options.timeout = 1s;
  stalls_ = true;
  Load load(loop_, options, {address_});
  Pass(load, 5s);
  load.Stop();
  TimePassesUntil([&] { return load.done(); });
  EXPECT_GT(load.report().sent, 390U);  // all but those that are not given up yet
  EXPECT_EQ(load.report().failed(), load.report().sent);
  EXPECT_GT(load.report().failures.at("timed out before a connection was free"), 350U);
}

TEST_F(LoadOfAServer, CountsWhatIsSentOnNewConnectionsApart) {
  LoadOptions options = Options();
  options.new_per_second = 10;
  Load load(loop_, options, {address_});
  // Beside what is due each 10 ms on the kept ones, there is one more each 100 ms.
  const auto due = [&] { return static_cast<std::uint64_t>((clock_.now - begin_) / 10ms) + 1; };
  for (int step = 0; step < 100; ++step) {
    clock_.now += 10ms;
    Until([&] { return load.report().micros.size() >= due() + (due() - 1) / 10 + 1; });
  }
  load.Stop();
  Until([&] { return load.done(); });
  EXPECT_EQ(load.report().sent_new, 11U);
  EXPECT_EQ(load.report().sent, 101U + 11U);
  EXPECT_EQ(load.report().reopened, 0U);
}

TEST_F(LoadOfAServer, CountsTheKeptConnectionsThatEndedBetweenTwoRequests) {
  closes_ = true;
  Load load(loop_, Options(), {address_});
  Pass(load, 1s);
  load.Stop();
  Until([&] { return load.done(); });
  EXPECT_EQ(load.report().failed(), 0U);
  EXPECT_EQ(load.report().sent, 101U);
  EXPECT_EQ(load.report().reopened, 99U);  // all but the first of each of the two
}

TEST_F(LoadOfAServer, IsReportedWithItsSecondsAndTheLongestWait) {
  LoadReport report;
  report.sent = 600;
  report.sent_new = 10;
  report.reopened = 3;
  report.longest = 1500ms;
  report.asked_for = 2s;
  const std::string json = report.ToJson();
  EXPECT_NE(json.find(R"("sent":600,"kept":590,"new":10,"reopened":3)"), std::string::npos) << json;
  EXPECT_NE(json.find("\"max_ms\":1500.0"), std::string::npos) << json;
  EXPECT_NE(json.find("\"seconds\":2.0"), std::string::npos) << json;
}

}  // namespace
}  // namespace plait::demo
