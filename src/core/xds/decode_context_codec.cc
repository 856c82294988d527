#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "core/xds/decode_context.h"
#include "core/xds/ignored_fields.h"

namespace plait::xds {

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

void DecodeContext::Honours(const google::protobuf::Message& message,
                            std::initializer_list<std::string_view> honoured) {
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  reflection->ListFields(message, &set);
  for (const auto* field : set) {
    if (std::find(honoured.begin(), honoured.end(), field->name()) != honoured.end()) continue;
    if (IsIgnored(field->full_name())) continue;
    return Reject(field->name() + " is not implemented");
  }
  const int unknown = reflection->GetUnknownFields(message).field_count();
  if (unknown == 0) return;
  unknown_fields_ += static_cast<std::uint64_t>(unknown);
  if (static_)
    Reject("unknown field number " + std::to_string(reflection->GetUnknownFields(message).field(0).number()));
}

}  // namespace plait::xds
