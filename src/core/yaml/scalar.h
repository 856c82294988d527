#pragma once
// What a plain scalar means: YAML 1.1 as Kubernetes' reader resolves it (yes/no/on/off/y/n are booleans, 0x, 0o, 0b and
// leading-zero octal integers, underscores in numbers, ~ and empty are null).
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/yaml/node.h"

namespace plait::yaml {
enum class ScalarType : std::uint8_t { kNull, kBool, kInteger, kFloat, kString };

ScalarType TypeOf(const Node& scalar) noexcept;
std::optional<bool> AsBool(const Node& scalar) noexcept;
// An integer, or a float without fraction ("1e3"). `negative` and magnitude, so that all of int64 and uint64 fit.
struct Integer {
  bool negative = false;
  std::uint64_t magnitude = 0;
};
std::optional<Integer> AsInteger(const Node& scalar) noexcept;
std::optional<double> AsDouble(const Node& scalar) noexcept;  // also of an integer
std::optional<std::int64_t> AsInt64(const Node& scalar) noexcept;
}  // namespace plait::yaml
