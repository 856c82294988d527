#pragma once
// A TCP or UDP port in host byte order. 0 means "not set" and never goes on the wire.
#include <compare>
#include <cstdint>
#include <string_view>

#include "core/base/result.h"

namespace plait {
struct Port {
  std::uint16_t value = 0;
  explicit operator bool() const noexcept { return value != 0; }
  friend auto operator<=>(Port, Port) = default;
};

// Parses a decimal port. Errors: kInvalidInput if empty, longer than 5, not digits, or outside 1..65535.
Result<Port> ParsePort(std::string_view text);
}  // namespace plait
