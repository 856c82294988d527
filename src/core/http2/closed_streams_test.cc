#include "core/http2/closed_streams.h"

#include <gtest/gtest.h>

namespace plait::http2 {
namespace {

TEST(ClosedStreams, TakesNothingOnAStreamThatThePeerHasEndedOrPassedOver) {
  ClosedStreams closed;
  closed.Opened(5);
  EXPECT_TRUE(closed.Breaks(5));
  EXPECT_TRUE(closed.Breaks(3));
  EXPECT_FALSE(closed.Breaks(7));  // to be opened
}

TEST(ClosedStreams, LetsPassWhatWasOnItsWayWhenWeReset) {
  ClosedStreams closed;
  closed.Opened(5);
  closed.Reset(3);
  EXPECT_FALSE(closed.Breaks(3));
  EXPECT_TRUE(closed.Breaks(5));
}

TEST(ClosedStreams, AccusesNobodyOfWhatItHasForgotten) {
  ClosedStreams closed;
  for (std::int32_t id = 1; id < 2 * 200; id += 2) {
    closed.Opened(id);
    closed.Reset(id);
    closed.Reset(id);  // refused and then reset: one entry
  }
  for (std::int32_t id = 1; id < 2 * 200; id += 2) EXPECT_FALSE(closed.Breaks(id)) << id;
  closed.Opened(401);
  EXPECT_TRUE(closed.Breaks(401));
}

}  // namespace
}  // namespace plait::http2
