// Any text against two schemas: no crash; what decodes without an error prints to text that decodes to the same bytes.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/struct.pb.h>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/yaml/message.h"
#include "core/yaml/parse.h"
#include "core/yaml/print.h"

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
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto documents = plait::yaml::ParseAll(plait::AsText({data, size}), "fuzz", {.bytes = 1 << 16, .nodes = 5000});
  if (!documents) return 0;
  for (const auto& document : *documents) {
    RoundTrip<google::protobuf::FileDescriptorProto>(document);
    RoundTrip<google::protobuf::Struct>(document);
  }
  return 0;
}
