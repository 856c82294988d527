#include "core/base/port.h"

namespace plait {
Result<Port> ParsePort(std::string_view text) {
  if (text.empty() || text.size() > 5) return Fail(Errc::kInvalidInput, "port: length");
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return Fail(Errc::kInvalidInput, "port: not a digit");
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (value == 0 || value > 65535) return Fail(Errc::kInvalidInput, "port: outside 1..65535");
  return Port{static_cast<std::uint16_t>(value)};
}
}  // namespace plait
