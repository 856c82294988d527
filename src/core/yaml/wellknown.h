#pragma once
// Internal to core/yaml: the JSON forms of google.protobuf's well-known types.
#include <string>

#include "core/yaml/node.h"

namespace google::protobuf {
class Message;
}

namespace plait::yaml {
enum class WellKnown : std::uint8_t {
  kNone,
  kDuration,
  kTimestamp,
  kWrapper,
  kStruct,
  kValue,
  kListValue,
  kFieldMask,
  kEmpty,
  kAny
};
WellKnown WellKnownOf(std::string_view full_name) noexcept;

// Duration, Timestamp, Struct, Value, ListValue, FieldMask (not kWrapper, kAny, kEmpty). `error`: text, empty when
// right.
void DecodeWellKnown(WellKnown type, const Node& node, google::protobuf::Message& message, std::string& error);
Node EncodeWellKnown(WellKnown type, const google::protobuf::Message& message);

// "requires_" -> "requires": protoc cannot name a field as C++ keywords; the JSON name keeps the true one.
std::string TrueFieldName(std::string_view name, std::string_view json_name);
}  // namespace plait::yaml
