#include "core/io/wall_timer.h"

#include <gtest/gtest.h>

#include "testing/sleeping_clock.h"

namespace plait::io {
namespace {
using namespace std::chrono_literals;

class WallTimerTest : public testing::Test {
 protected:
  // How often it has ended by now.
  int Ended() {
    loop_.RunOnce(Duration(0));
    return ended_;
  }
  SleepingClock clock_;
  Loop loop_{clock_};
  int ended_ = 0;
  WallTimer timer_{loop_, [this] { ++ended_; }};
};

TEST_F(WallTimerTest, EndsOnceWhenItsTimeIsOver) {
  timer_.Start(24h);
  clock_.Advance(23h);
  EXPECT_EQ(Ended(), 0);
  EXPECT_TRUE(timer_.armed());
  clock_.Advance(1h);
  EXPECT_EQ(Ended(), 1);
  EXPECT_FALSE(timer_.armed());
  clock_.Advance(48h);
  EXPECT_EQ(Ended(), 1);
}

TEST_F(WallTimerTest, EndsHalfAMinuteAfterASleepInWhichItsTimeIsOver) {
  timer_.Start(24h);
  clock_.Sleep(30h);
  clock_.Advance(WallTimer::kLook);
  EXPECT_EQ(Ended(), 1);
}

TEST_F(WallTimerTest, CountsSleepAndTimeAwakeTogether) {
  timer_.Start(24h);
  clock_.Sleep(12h);
  clock_.Advance(11h);
  EXPECT_EQ(Ended(), 0);
  clock_.Advance(1h);
  EXPECT_EQ(Ended(), 1);
}

TEST_F(WallTimerTest, DoesNotWaitForAClockThatWasSetBack) {
  timer_.Start(24h);
  clock_.Sleep(-1000h);
  clock_.Advance(24h);
  EXPECT_EQ(Ended(), 1);
}

TEST_F(WallTimerTest, ThatIsCancelledOrStartedAnewForgetsWhatItWasStartedFor) {
  timer_.Start(1h);
  timer_.Cancel();
  clock_.Advance(2h);
  EXPECT_EQ(Ended(), 0);
  timer_.Start(1h);
  timer_.Start(3h);
  clock_.Sleep(2h);
  clock_.Advance(30min);
  EXPECT_EQ(Ended(), 0);
  clock_.Advance(30min);
  EXPECT_EQ(Ended(), 1);
}

}  // namespace
}  // namespace plait::io
