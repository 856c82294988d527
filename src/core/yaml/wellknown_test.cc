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

TEST(WellKnownTypes, PrintWhatIsBeyondTheYearsOfAClock) {
  EXPECT_EQ(DurationText(315'576'000'000, 0), "315576000000s");
  EXPECT_EQ(DurationText(INT64_MIN, 0), "-9223372036854775808s");
  const auto text = [](std::int64_t seconds) {
    pb::Timestamp time;
    time.set_seconds(seconds);
    return EncodeWellKnown(WellKnown::kTimestamp, time).text;
  };
  EXPECT_EQ(text(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(text(1'795'529'580), "2026-11-24T14:13:00Z");
  EXPECT_EQ(text(253'402'300'799), "9999-12-31T23:59:59Z");
  EXPECT_EQ(text(INT64_MAX), "9999-12-31T23:59:59Z");
  EXPECT_EQ(text(INT64_MIN), "0001-01-01T00:00:00Z");
}

TEST(WellKnownTypes, RefuseADurationThatProtobufCannotHold) {
  const auto error = [](const std::string& text) {
    pb::Duration value;
    std::string why;
    DecodeWellKnown(WellKnown::kDuration, Node::Text(text), value, why);
    return why;
  };
  EXPECT_EQ(error("315576000000s"), "");
  EXPECT_EQ(error("-315576000000s"), "");
  for (const char* bad : {"315576000001s", "-315576000001s", "-9223372036854775808s", "9223372036854775807s"})
    EXPECT_NE(error(bad), "") << bad;
}

}  // namespace
}  // namespace plait::yaml
