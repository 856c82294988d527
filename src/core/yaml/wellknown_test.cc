#include "core/yaml/wellknown.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace plait::yaml {
namespace {
namespace pb = google::protobuf;

std::string DurationText(std::int64_t seconds, std::int32_t nanos) {
  pb::Duration value;
  value.set_seconds(seconds);
  value.set_nanos(nanos);
  return EncodeWellKnown(WellKnown::kDuration, value).text;
}

TEST(WellKnownTypes, PrintAFractionOfASecond) {
  EXPECT_EQ(DurationText(1, 500'000'000), "1.500s");
  EXPECT_EQ(DurationText(0, -1), "-0.000000001s");
  EXPECT_EQ(DurationText(2, 999'999'999), "2.999999999s");
}

TEST(WellKnownTypes, PrintNoFractionThatIsNone) {
  EXPECT_EQ(DurationText(1, 0), "1s");
  EXPECT_EQ(DurationText(1, 1'000'000'000), "1s");
  EXPECT_EQ(DurationText(1, INT32_MAX), "1s");
  EXPECT_EQ(DurationText(-1, INT32_MIN), "-1s");
  pb::Timestamp time;
  for (const std::int32_t nanos : {INT32_MIN, -1, 1'000'000'000, INT32_MAX}) {
    time.set_nanos(nanos);
    EXPECT_EQ(EncodeWellKnown(WellKnown::kTimestamp, time).text, "1970-01-01T00:00:00Z") << nanos;
  }
}

}  // namespace
}  // namespace plait::yaml
