#pragma once
// The table of command operators (format.h): name -> how to get the value. It has the names of
// core/xds/command_operators.h.
#include <optional>
#include <string_view>

#include "proxy/record/format.h"

namespace plait::proxy::record {

struct Operator {
  std::string_view name;
  Format::Value value;
  bool number = false;
};
// Null when there is no operator of that name.
const Operator* FindOperator(std::string_view name) noexcept;

}  // namespace plait::proxy::record
