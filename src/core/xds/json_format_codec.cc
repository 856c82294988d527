#include "core/xds/json_format_codec.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>

#include "core/base/strings.h"
#include "core/xds/command_operators.h"

namespace plait::xds {
namespace {
namespace pb = google::protobuf;
using Kind = JsonFormat::Kind;

JsonFormat Decode(const pb::Value& in) {
  JsonFormat out;
  switch (in.kind_case()) {
    case pb::Value::kStringValue: return JsonFormat::Text(in.string_value());
    case pb::Value::kStructValue: return DecodeJsonFormat(in.struct_value());
    case pb::Value::kBoolValue:
      out.kind = Kind::kBool;
      out.boolean = in.bool_value();
      break;
    case pb::Value::kNumberValue:
      out.kind = Kind::kNumber;
      out.number = in.number_value();
      break;
    case pb::Value::kListValue:
      out.kind = Kind::kList;
      for (const pb::Value& item : in.list_value().values()) out.items.push_back(Decode(item));
      break;
    case pb::Value::kNullValue:
    case pb::Value::KIND_NOT_SET: out.kind = Kind::kNull; break;
  }
  return out;
}

Outcome<void> CheckOperators(const JsonFormat& format) {
  if (format.kind == Kind::kText) {
    const auto pieces = ParseFormat(format.text);
    if (!pieces) return std::unexpected(pieces.error());
  }
  for (const JsonFormat& item : format.items) {
    if (Outcome<void> checked = CheckOperators(item); !checked) return checked;
  }
  return {};
}
// Of arrays and objects within each other. The library's reader takes quadratic time in it.
std::size_t DepthOf(std::string_view json) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return deepest;
}
}  // namespace

JsonFormat DecodeJsonFormat(const pb::Struct& in) {
  JsonFormat out;
  std::map<std::string, const pb::Value*> sorted;
  for (const auto& [key, value] : in.fields()) sorted.emplace(key, &value);
  for (const auto& [key, value] : sorted) {
    out.keys.push_back(key);
    out.items.push_back(Decode(*value));
  }
  return out;
}

Outcome<JsonFormat> ParseJsonFormat(std::string_view json) {
  if (DepthOf(json) > kMaxJsonFormatDepth)
    return Explain(Errc::kLimit, "is nested more than " + std::to_string(kMaxJsonFormatDepth) + " levels deep",
                   "write what a line of the log shall hold with fewer levels");
  pb::Struct message;
  const bool object = Trim(json).starts_with('{');
  const auto status = object ? pb::util::JsonStringToMessage(std::string(json), &message) : pb::util::Status();
  if (!object || !status.ok()) {
    const std::string whole(status.message());  // what is wrong, then the place, on lines of its own
    const std::string why = object ? ": " + whole.substr(0, whole.find('\n')) : "";
    return Explain(Errc::kInvalidInput, "is no JSON object" + why, "e.g. {\"code\": \"%RESPONSE_CODE%\"}");
  }
  JsonFormat out = DecodeJsonFormat(message);
  if (Outcome<void> checked = CheckOperators(out); !checked) return std::unexpected(checked.error());
  return out;
}

}  // namespace plait::xds
