#pragma once
// What an access log in JSON writes: an object whose texts hold command operators. Mirrors json_format of
// envoy.config.core.v3.SubstitutionFormatString, which is a google.protobuf.Struct.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace plait::xds {

struct JsonFormat {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kText, kList, kObject };
  Kind kind = Kind::kObject;
  bool boolean = false;
  double number = 0;
  std::string text;               // kText: literals and operators
  std::vector<JsonFormat> items;  // kList, kObject
  std::vector<std::string> keys;  // kObject: of `items`, one by one; sorted

  static JsonFormat Text(std::string text);
  // An object of texts; sorts the keys.
  static JsonFormat Object(std::vector<std::pair<std::string, std::string>> texts);
  friend bool operator==(const JsonFormat&, const JsonFormat&) = default;
};

inline constexpr std::size_t kMaxJsonFormatDepth = 32;
// Reads the text of a JSON object. Errors: it is none, it is nested more than kMaxJsonFormatDepth levels deep, or a
// text in it has an operator that ParseFormat refuses.
Outcome<JsonFormat> ParseJsonFormat(std::string_view json);

}  // namespace plait::xds
