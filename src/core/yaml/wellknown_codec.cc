#include "core/yaml/wellknown.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "core/base/strings.h"
#include "core/base/time.h"
#include "core/yaml/scalar.h"

namespace plait::yaml {
namespace {
namespace pb = google::protobuf;
constexpr std::int64_t kNanos = 1'000'000'000;
constexpr std::int64_t kMaxDurationSeconds = 315'576'000'000;  // duration.proto

// The messages may be generated or dynamic, so fields are reached by reflection.
void SetSecondsAndNanos(pb::Message& message, std::int64_t seconds, std::int32_t nanos) {
  const pb::Descriptor& type = *message.GetDescriptor();
  message.GetReflection()->SetInt64(&message, type.FindFieldByNumber(1), seconds);
  message.GetReflection()->SetInt32(&message, type.FindFieldByNumber(2), nanos);
}
std::int64_t SecondsOf(const pb::Message& message) {
  return message.GetReflection()->GetInt64(message, message.GetDescriptor()->FindFieldByNumber(1));
}
std::int32_t NanosOf(const pb::Message& message) {
  return message.GetReflection()->GetInt32(message, message.GetDescriptor()->FindFieldByNumber(2));
}

void DecodeDuration(const Node& node, pb::Message& message, std::string& error) {
  // Seconds alone may exceed what nanoseconds in 64 bits hold.
  if (node.text.ends_with('s'))
    if (const auto seconds = ParseInt(std::string_view(node.text).substr(0, node.text.size() - 1));
        seconds && *seconds >= -kMaxDurationSeconds && *seconds <= kMaxDurationSeconds)
      return SetSecondsAndNanos(message, *seconds, 0);
  const auto duration = node.is_string() ? ParseDuration(node.text) : std::nullopt;
  if (!duration) {
    error = "a duration such as \"5s\" or \"250ms\" is expected, not " + Describe(node);
    return;
  }
  SetSecondsAndNanos(message, duration->count() / kNanos, static_cast<std::int32_t>(duration->count() % kNanos));
}

void DecodeTimestamp(const Node& node, pb::Message& message, std::string& error) {
  const auto time = node.is_string() ? ParseRfc3339(node.text) : std::nullopt;
  if (!time) {
    error = "a time such as \"2026-01-02T15:04:05Z\" is expected, not " + Describe(node);
    return;
  }
  const std::int64_t count = time->time_since_epoch().count();
  std::int64_t seconds = count / kNanos;
  std::int64_t nanos = count % kNanos;
  if (nanos < 0) {
    nanos += kNanos;
    --seconds;
  }
  SetSecondsAndNanos(message, seconds, static_cast<std::int32_t>(nanos));
}

void FillValue(const Node& node, pb::Value& value);

void FillStruct(const Node& node, pb::Struct& value) {
  for (const Entry& entry : node.entries) FillValue(entry.value, (*value.mutable_fields())[entry.key]);
}

void FillList(const Node& node, pb::ListValue& value) {
  for (const Node& item : node.items) FillValue(item, *value.add_values());
}

void FillValue(const Node& node, pb::Value& value) {
  if (node.is_mapping()) return FillStruct(node, *value.mutable_struct_value());
  if (node.is_sequence()) return FillList(node, *value.mutable_list_value());
  switch (TypeOf(node)) {
    case ScalarType::kNull: value.set_null_value(pb::NULL_VALUE); return;
    case ScalarType::kBool: value.set_bool_value(AsBool(node).value_or(false)); return;
    case ScalarType::kInteger:
    case ScalarType::kFloat: value.set_number_value(AsDouble(node).value_or(0)); return;
    case ScalarType::kString: value.set_string_value(node.text); return;
  }
}

// Generated messages are filled in place; a dynamic one of the same schema through its bytes.
template <class T, class Fill>
void With(pb::Message& message, Fill fill) {
  if (T* generated = dynamic_cast<T*>(&message)) return fill(*generated);
  T copy;
  fill(copy);
  message.MergeFromString(copy.SerializeAsString());
}
template <class T, class Read>
Node Reading(const pb::Message& message, Read read) {
  if (const T* generated = dynamic_cast<const T*>(&message)) return read(*generated);
  T copy;
  copy.ParseFromString(message.SerializeAsString());
  return read(copy);
}

std::string SnakeCase(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') out += '_';
    out += ToLower(c);
  }
  return out;
}

void DecodeFieldMask(const Node& node, pb::Message& message, std::string& error) {
  if (!node.is_string()) {
    error = "a comma-separated list of field paths is expected, not " + Describe(node);
    return;
  }
  const pb::FieldDescriptor* paths = message.GetDescriptor()->FindFieldByNumber(1);
  for (std::string_view part : Split(node.text, ','))
    message.GetReflection()->AddString(&message, paths, SnakeCase(Trim(part)));
}

// Nothing for what is no fraction: a message from elsewhere may hold any number.
std::string Fraction(std::int64_t nanos) {
  if (nanos <= 0 || nanos >= kNanos) return {};
  std::string digits = std::to_string(nanos);
  digits.insert(0, 9 - digits.size(), '0');
  const std::size_t keep = digits.ends_with("000000") ? 3 : digits.ends_with("000") ? 6 : 9;
  return "." + digits.substr(0, keep);
}

Node EncodeDuration(const pb::Message& message) {
  const std::int64_t seconds = SecondsOf(message);
  const std::int64_t nanos = NanosOf(message);
  const bool negative = seconds < 0 || nanos < 0;
  const auto bits = static_cast<std::uint64_t>(seconds);
  return Node::Text((negative ? "-" : "") + std::to_string(seconds < 0 ? 0 - bits : bits) + Fraction(std::abs(nanos)) +
                    "s");
}

// By the calendar, for WallTime holds fewer years than timestamp.proto; beyond those, the first or the last moment.
Node EncodeTimestamp(const pb::Message& message) {
  constexpr std::int64_t kFirst = -62'135'596'800;  // 0001-01-01T00:00:00Z
  constexpr std::int64_t kLast = 253'402'300'799;   // 9999-12-31T23:59:59Z
  const std::chrono::sys_seconds at(std::chrono::seconds(std::clamp(SecondsOf(message), kFirst, kLast)));
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return Node::Text(text + Fraction(NanosOf(message)) + "Z");
}

Node NumberNode(double value) {
  if (std::isnan(value)) return Node::Text("NaN");
  if (std::isinf(value)) return Node::Text(value < 0 ? "-Infinity" : "Infinity");
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return Node::Plain(std::string(digits, end));
}

Node ValueNode(const pb::Value& value);

Node StructNode(const pb::Struct& value) {
  Node out = Node::Mapping();
  std::vector<const std::string*> keys;
  for (const auto& [key, ignored] : value.fields()) keys.push_back(&key);
  std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a < *b; });
  for (const std::string* key : keys) out.Add(*key, ValueNode(value.fields().at(*key)));
  return out;
}

Node ListNode(const pb::ListValue& value) {
  Node out = Node::Sequence();
  for (const pb::Value& item : value.values()) out.items.push_back(ValueNode(item));
  return out;
}

Node ValueNode(const pb::Value& value) {
  switch (value.kind_case()) {
    case pb::Value::kBoolValue: return Node::Plain(value.bool_value() ? "true" : "false");
    case pb::Value::kNumberValue: return NumberNode(value.number_value());
    case pb::Value::kStringValue: return Node::Text(value.string_value());
    case pb::Value::kStructValue: return StructNode(value.struct_value());
    case pb::Value::kListValue: return ListNode(value.list_value());
    default: return Node::Plain("null");
  }
}
}  // namespace

WellKnown WellKnownOf(std::string_view full_name) noexcept {
  constexpr std::string_view kPackage = "google.protobuf.";
  if (!full_name.starts_with(kPackage)) return WellKnown::kNone;
  const std::string_view name = full_name.substr(kPackage.size());
  if (name == "Duration") return WellKnown::kDuration;
  if (name == "Timestamp") return WellKnown::kTimestamp;
  if (name == "Struct") return WellKnown::kStruct;
  if (name == "Value") return WellKnown::kValue;
  if (name == "ListValue") return WellKnown::kListValue;
  if (name == "FieldMask") return WellKnown::kFieldMask;
  if (name == "Empty") return WellKnown::kEmpty;
  if (name == "Any") return WellKnown::kAny;
  for (std::string_view wrapper : {"BoolValue", "StringValue", "BytesValue", "DoubleValue", "FloatValue", "Int32Value",
                                   "Int64Value", "UInt32Value", "UInt64Value"})
    if (name == wrapper) return WellKnown::kWrapper;
  return WellKnown::kNone;
}

void DecodeWellKnown(WellKnown type, const Node& node, pb::Message& message, std::string& error) {
  switch (type) {
    case WellKnown::kDuration: return DecodeDuration(node, message, error);
    case WellKnown::kTimestamp: return DecodeTimestamp(node, message, error);
    case WellKnown::kFieldMask: return DecodeFieldMask(node, message, error);
    case WellKnown::kValue: return With<pb::Value>(message, [&](pb::Value& value) { FillValue(node, value); });
    case WellKnown::kStruct:
      if (!node.is_mapping()) error = "a mapping is expected, not " + Describe(node);
      return With<pb::Struct>(message, [&](pb::Struct& value) { FillStruct(node, value); });
    case WellKnown::kListValue:
      if (!node.is_sequence()) error = "a list is expected, not " + Describe(node);
      return With<pb::ListValue>(message, [&](pb::ListValue& value) { FillList(node, value); });
    default: return;
  }
}

Node EncodeWellKnown(WellKnown type, const pb::Message& message) {
  switch (type) {
    case WellKnown::kDuration: return EncodeDuration(message);
    case WellKnown::kTimestamp: return EncodeTimestamp(message);
    case WellKnown::kStruct: return Reading<pb::Struct>(message, StructNode);
    case WellKnown::kValue: return Reading<pb::Value>(message, ValueNode);
    case WellKnown::kListValue: return Reading<pb::ListValue>(message, ListNode);
    case WellKnown::kFieldMask: {
      std::string joined;
      const pb::FieldDescriptor* paths = message.GetDescriptor()->FindFieldByNumber(1);
      for (int i = 0; i < message.GetReflection()->FieldSize(message, paths); ++i)
        joined += (i > 0 ? "," : "") + message.GetReflection()->GetRepeatedString(message, paths, i);
      return Node::Text(joined);
    }
    default: return Node::Mapping();
  }
}

std::string TrueFieldName(std::string_view name, std::string_view json_name) {
  if (name.ends_with('_') && name.substr(0, name.size() - 1) == json_name) return std::string(json_name);
  return std::string(name);
}

}  // namespace plait::yaml
