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
  enum class Argument : std::uint8_t {
    kNone,
    kHeader,      // "name" or "name?other"
    kName,        // of a variable, a query parameter, a namespace
    kTime,        // may be there: strftime's with fractions of the second
    kMask,        // may be there: the bits of an address that are kept
    kDuration,    // "from:to" or "from:to:unit"
    kPath,        // may be there: "WQ" or "NQ", ":", whose path
    kQuery,       // may be there: "ORIG" or "DECODED"
    kServerName,  // may be there: "SNI_FIRST", ":", whose host
    kGrpcStatus,  // may be there: its form
    kState,       // "key" or "key:PLAIN"
    kMetadata,    // "ROUTE:namespace:key"
    kWords,       // may be there, whatever it is
  };
  std::string_view name;  // as in Envoy's access log documentation
  Argument argument = Argument::kNone;
};
std::span<const CommandOperator> CommandOperators() noexcept;

struct FormatPiece {
  const CommandOperator* command = nullptr;  // null: `text` as it is
  std::string text;                          // literal, header name, time format
  std::string other;                         // the header that is used when the first is absent
  std::size_t most = SIZE_MAX;               // bytes of the value that are kept
  bool as_text = false;                      // in JSON, too, where the operator gives numbers
};
// Errors: an operator that is not known or has the wrong argument, a '%' that is alone.
Outcome<std::vector<FormatPiece>> ParseFormat(std::string_view text);

}  // namespace plait::xds
