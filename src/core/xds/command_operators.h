#pragma once
// Envoy's command operators in the texts of access logs and header values ("%RESPONSE_CODE% %REQ(X-A?:PATH):20%"):
// which there are, and how a text is made of them. What they stand for is the proxy's (proxy/record/operators.h).
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace plait::xds {

struct CommandOperator {
  enum class Argument : std::uint8_t { kNone, kHeader, kOptional, kName };
  std::string_view name;  // as in Envoy's access log documentation
  Argument argument = Argument::kNone;
};
std::span<const CommandOperator> CommandOperators() noexcept;

struct FormatPiece {
  const CommandOperator* command = nullptr;  // null: `text` as it is
  std::string text;                          // literal, header name, time format
  std::string other;                         // the header that is used when the first is absent
  std::size_t most = SIZE_MAX;               // bytes of the value that are kept
};
// Errors: an operator that is not known or has the wrong argument, a '%' that is alone.
Outcome<std::vector<FormatPiece>> ParseFormat(std::string_view text);

}  // namespace plait::xds
