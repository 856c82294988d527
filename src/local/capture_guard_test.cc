#include "local/capture_guard.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "testing/manual_clock.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

// One network whose rules are whatever the test says.
class CaptureGuardTest : public testing::Test, public PodNetworks {
 protected:
  CaptureGuardTest() : PodNetworks(io::UniqueFd()) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
    kernel_.Reset(ends[0]);
    network_.rules_monitor.Reset(ends[1]);
    guard_ = std::make_unique<CaptureGuard>(
        loop_, *this, network_, "web-0.default", [this] { ++changes_; }, [this] { ++loaded_; });
  }
  ~CaptureGuardTest() override { guard_.reset(); }

  Outcome<PodNetwork> Add(const Wanted&) override { return PodNetwork{}; }
  void Remove(PodNetwork&) override {}
  Outcome<std::string> CheckCapture(const PodNetwork&) override { return ""; }
  io::SocketAddress ControlAddress() const override { return {}; }
  std::vector<io::Cidr> DialledDirectly() const override { return {}; }
  std::string RestoreCapture(PodNetwork& network) override {
    ++looks_;
    network.cut_off = wrong_;
    return wrong_.empty() ? lost_ : wrong_;
  }

  void RulesChange() { ASSERT_EQ(send(kernel_.get(), "x", 1, 0), 1); }
  // What has happened and is due by then is done.
  void Settle(Duration later = 0ms) {
    clock_.Advance(later);
    for (int i = 0; i < 3; ++i) loop_.RunOnce(0ms);
  }

  ManualClock clock_;
  io::Loop loop_{clock_};
  io::UniqueFd kernel_;
  PodNetwork network_;
  std::string wrong_;
  std::string lost_;
  int looks_ = 0;
  int changes_ = 0;
  int loaded_ = 0;
  std::unique_ptr<CaptureGuard> guard_;
};

TEST_F(CaptureGuardTest, LooksOnceWhenChangesCameTogetherAndNeverWithoutOne) {
  Settle(1h);
  EXPECT_EQ(looks_, 0);
  for (int i = 0; i < 3; ++i) RulesChange();
  Settle(1ms);
  EXPECT_EQ(looks_, 1);
  Settle(1h);
  EXPECT_EQ(looks_, 1);
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(loaded_, 0);
}

TEST_F(CaptureGuardTest, TellsWheneverTheRulesHaveBeenLoadedAgain) {
  lost_ = "the rules are gone";
  RulesChange();
  Settle(1ms);
  EXPECT_EQ(loaded_, 1);
  lost_ = "";
  RulesChange();
  Settle(1s);
  EXPECT_EQ(loaded_, 1);
}

TEST_F(CaptureGuardTest, LooksAtMostEachTenthOfASecondHoweverOftenRulesChange) {
  for (int i = 0; i < 1000; ++i) {
    RulesChange();
    Settle(1ms);
  }
  EXPECT_GE(looks_, 9);
  EXPECT_LE(looks_, 11);
  const int before = looks_;
  Settle(100ms);
  EXPECT_EQ(looks_, before + 1) << "the last change is not forgotten";
}

TEST_F(CaptureGuardTest, TriesEachSecondToMendANetworkThatIsCutOffAndTellsWhenItIsAndWhenNoMore) {
  wrong_ = "the rules are gone";
  RulesChange();
  Settle(1ms);
  EXPECT_EQ(looks_, 1);
  EXPECT_EQ(changes_, 1);
  Settle(999ms);
  EXPECT_EQ(looks_, 1);
  Settle(2ms);
  EXPECT_EQ(looks_, 2);
  EXPECT_EQ(changes_, 1);
  wrong_ = "";
  Settle(1001ms);
  EXPECT_EQ(looks_, 3);
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(loaded_, 1) << "and not while it was cut off";
  Settle(1h);
  EXPECT_EQ(looks_, 3);
}

}  // namespace
}  // namespace plait::local
