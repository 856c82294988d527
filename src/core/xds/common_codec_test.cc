#include "core/xds/common_codec.h"

#include <gtest/gtest.h>

namespace plait::xds {
namespace {

bool Accepts(std::int64_t seconds, std::int32_t nanos) {
  google::protobuf::Duration in;
  in.set_seconds(seconds);
  in.set_nanos(nanos);
  DecodeContext context("test", false);
  const Duration out = DecodeDuration(in, context);
  EXPECT_EQ(out, context.ok() ? std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanos) : Duration(0));
  return context.ok();
}

TEST(Durations, AreRefusedWhenTheirFractionIsNone) {
  EXPECT_TRUE(Accepts(1, 0));
  EXPECT_TRUE(Accepts(1, 999'999'999));
  EXPECT_FALSE(Accepts(1, 1'000'000'000));
  EXPECT_FALSE(Accepts(1, INT32_MAX));
  EXPECT_FALSE(Accepts(1, -1));
  EXPECT_FALSE(Accepts(0, -1));
  EXPECT_FALSE(Accepts(-1, 0));
}

}  // namespace
}  // namespace plait::xds
