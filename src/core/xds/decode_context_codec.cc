#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>

#include "core/xds/decode_context.h"
#include "core/xds/ignored_fields.h"

namespace plait::xds {
namespace {
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Messages that stand for a value: who reads the field reads all of it.
constexpr auto kValues = std::to_array<std::string_view>({
    "envoy.type.v3.Percent",
    "envoy.type.v3.FractionalPercent",
    "envoy.type.v3.Int32Range",
    "envoy.type.v3.Int64Range",
});

bool IsValue(const google::protobuf::Descriptor& type) {
  return type.field_count() == 0 || type.full_name().starts_with("google.protobuf.") ||
         std::find(kValues.begin(), kValues.end(), type.full_name()) != kValues.end();
}
}  // namespace

DecodeContext::At::At(DecodeContext& context, std::string_view part, int index) : context_(context) {
  std::string name(part);
  if (index >= 0) name += "[" + std::to_string(index) + "]";
  context_.path_.push_back(std::move(name));
}

void DecodeContext::Reject(std::string_view what) {
  if (!problem_.empty()) return;
  for (const std::string& part : path_) problem_ += (problem_.empty() ? "" : ".") + part;
  if (!problem_.empty()) problem_ += ": ";
  problem_ += what;
}

Diagnostic DecodeContext::TakeProblem() const {
  return {.code = Errc::kInvalidInput, .message = problem_, .object = resource_, .at = {}, .hint = {}};
}

void DecodeContext::CheckField(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
    for (int i = 0; i < count; ++i) {
      const int value = field.is_repeated() ? reflection.GetRepeatedEnumValue(message, &field, i)
                                            : reflection.GetEnumValue(message, &field);
      if (field.enum_type()->FindValueByNumber(value) == nullptr)
        Reject(field.name() + ": value " + std::to_string(value) + " is not known");
    }
  }
  // The values of maps are looked into by who iterates over them.
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field.is_map() || IsValue(*field.message_type())) return;
  if (!field.is_repeated()) {
    unread_.emplace(&reflection.GetMessage(message, &field), &field);
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i)
    unread_.emplace(&reflection.GetRepeatedMessage(message, &field, i), &field);
}

void DecodeContext::Honours(const Message& message, std::initializer_list<std::string_view> honoured) {
  unread_.erase(&message);
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  reflection.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    if (std::find(honoured.begin(), honoured.end(), field->name()) != honoured.end())
      CheckField(message, *field);
    else if (!IsIgnored(field->full_name()))
      return Reject(field->name() + " is not implemented");
  }
  const int unknown = reflection.GetUnknownFields(message).field_count();
  if (unknown == 0) return;
  unknown_fields_ += static_cast<std::uint64_t>(unknown);
  if (static_) Reject("unknown field number " + std::to_string(reflection.GetUnknownFields(message).field(0).number()));
}

void DecodeContext::Finish() {
  if (!unread_.empty()) Reject(unread_.begin()->second->full_name() + " is not implemented here");
}

}  // namespace plait::xds
