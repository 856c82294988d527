#pragma once
// The table of command operators (format.h): name -> how to get the value. Names as in Envoy's access log
// documentation.
#include <optional>
#include <string_view>

#include "proxy/record/format.h"

namespace plait::proxy::record {

struct Operator {
  std::string_view name;
  Format::Value value;
  bool number = false;
  enum class Argument : std::uint8_t { kNone, kHeader, kOptional, kName } argument = Argument::kNone;
};
// Null when there is no operator of that name.
const Operator* FindOperator(std::string_view name) noexcept;

}  // namespace plait::proxy::record
