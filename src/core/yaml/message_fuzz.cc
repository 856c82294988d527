// Any text against two schemas and the well-known types that have a form of their own: no crash; what decodes without
// an error prints to text that decodes to the same. The first bytes are also times of a message from elsewhere.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/yaml/message.h"
#include "core/yaml/parse.h"
#include "core/yaml/print.h"
#include "core/yaml/wellknown.h"

namespace {
template <class T>
void RoundTrip(const plait::yaml::Node& node) {
  T first;
  if (!plait::yaml::Decode(node, "fuzz", first).empty()) return;
  if (!first.IsInitialized()) return;
  const plait::yaml::Node printed = plait::yaml::Encode(first);
  T second;
  PLAIT_CHECK(plait::yaml::Decode(printed, "again", second).empty());
}

template <class T>
void RoundTrip(plait::yaml::WellKnown type, const plait::yaml::Node& node) {
  T first;
  std::string error;
  plait::yaml::DecodeWellKnown(type, node, first, error);
  if (!error.empty()) return;
  T second;
  plait::yaml::DecodeWellKnown(type, plait::yaml::EncodeWellKnown(type, first), second, error);
  PLAIT_CHECK(error.empty() && second.SerializeAsString() == first.SerializeAsString());
}

// Whatever the numbers, the text has the form; in the years of a clock it reads as the same moment.
void Foreign(plait::Bytes bytes) {
  using plait::yaml::WellKnown;
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  if (bytes.size() < sizeof seconds + sizeof nanos) return;
  std::memcpy(&seconds, bytes.data(), sizeof seconds);
  std::memcpy(&nanos, bytes.data() + sizeof seconds, sizeof nanos);
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  PLAIT_CHECK(plait::yaml::EncodeWellKnown(WellKnown::kDuration, duration).text.ends_with('s'));
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  const plait::yaml::Node printed = plait::yaml::EncodeWellKnown(WellKnown::kTimestamp, time);
  PLAIT_CHECK(printed.text.size() >= 20 && printed.text.ends_with('Z'));
  constexpr std::int64_t kYearsOfAClock = 9'000'000'000;
  if (seconds < -kYearsOfAClock || seconds > kYearsOfAClock || nanos < 0 || nanos >= 1'000'000'000) return;
  std::string error;
  google::protobuf::Timestamp again;
  plait::yaml::DecodeWellKnown(WellKnown::kTimestamp, printed, again, error);
  PLAIT_CHECK(error.empty() && again.seconds() == seconds && again.nanos() == nanos);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Foreign({data, size});
  const auto documents = plait::yaml::ParseAll(plait::AsText({data, size}), "fuzz", {.bytes = 1 << 16, .nodes = 5000});
  if (!documents) return 0;
  for (const auto& document : *documents) {
    RoundTrip<google::protobuf::FileDescriptorProto>(document);
    RoundTrip<google::protobuf::Struct>(document);
    using plait::yaml::WellKnown;
    RoundTrip<google::protobuf::Duration>(WellKnown::kDuration, document);
    RoundTrip<google::protobuf::Timestamp>(WellKnown::kTimestamp, document);
    RoundTrip<google::protobuf::FieldMask>(WellKnown::kFieldMask, document);
  }
  return 0;
}
