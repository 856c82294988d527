#pragma once
// Errors as values. The data path uses Error (code and static text, never allocates); everything that speaks to a
// person uses Diagnostic (what, where, why, next step).
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plait {

enum class Errc : std::uint8_t {
  kInvalidInput,  // the peer's or the user's bytes break a rule
  kLimit,         // a configured or protocol limit was reached
  kPeerClosed,    // orderly end from the other side
  kPeerReset,     // the other side broke the connection
  kTimedOut,
  kDenied,
  kUnavailable,  // nobody there now; trying again may help
  kCancelled,
  kNotFound,
  kInternal,
};
std::string_view ErrcName(Errc code);

struct Error {
  Errc code = Errc::kInternal;
  const char* detail = "";  // static text for log and stats
  friend bool operator==(const Error& a, const Error& b) {
    return a.code == b.code && std::string_view(a.detail) == b.detail;
  }
};

template <class T = void>
using Result = std::expected<T, Error>;
[[nodiscard]] inline std::unexpected<Error> Fail(Errc code, const char* detail) {
  return std::unexpected(Error{code, detail});
}

// Where something was said: a file (1-based line and column; 0 = unknown) and, for a Kubernetes object, its reference.
struct Position {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// An error for a person. `ToString`: "file:line:column: object: message (hint)"; parts that are empty are left out.
struct Diagnostic {
  Errc code = Errc::kInvalidInput;
  std::string message;      // what is wrong, with the name and the value
  std::string object = {};  // "VirtualService default/reviews"
  Position at = {};
  std::string hint = {};  // the next step
  std::string ToString() const;
  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};
using Diagnostics = std::vector<Diagnostic>;

template <class T = void>
using Outcome = std::expected<T, Diagnostic>;
[[nodiscard]] inline std::unexpected<Diagnostic> Explain(Errc code, std::string message, std::string hint = {}) {
  return std::unexpected(Diagnostic{.code = code, .message = std::move(message), .hint = std::move(hint)});
}

}  // namespace plait
