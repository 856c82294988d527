#pragma once
// Matchers that routes, RBAC and TLS validation share: plain values, compiled by whoever evaluates them.
// Mirrors envoy.type.matcher.v3 and envoy.config.route.v3.{HeaderMatcher,QueryParameterMatcher}.
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace plait::xds {

struct StringMatcher {
  enum class Kind : std::uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };
  Kind kind = Kind::kExact;
  std::string value;         // kRegex: RE2 syntax, full match; checked to compile when decoded
  bool ignore_case = false;  // never with kRegex
  friend bool operator==(const StringMatcher&, const StringMatcher&) = default;
};

// Half open: [start, end).
struct Int64Range {
  std::int64_t start = 0;
  std::int64_t end = 0;
  friend bool operator==(const Int64Range&, const Int64Range&) = default;
};

// Present (true) or absent (false).
struct PresentMatcher {
  bool present = true;
  friend bool operator==(const PresentMatcher&, const PresentMatcher&) = default;
};

struct HeaderMatcher {
  std::string name;  // lower case; may be ":method", ":path", ":authority", ":scheme"
  std::variant<PresentMatcher, StringMatcher, Int64Range> value;
  bool invert = false;
  bool treat_missing_as_empty = false;
  friend bool operator==(const HeaderMatcher&, const HeaderMatcher&) = default;
};

struct QueryParameterMatcher {
  std::string name;
  std::variant<PresentMatcher, StringMatcher> value;
  friend bool operator==(const QueryParameterMatcher&, const QueryParameterMatcher&) = default;
};

struct RegexRewrite {
  std::string pattern;       // RE2
  std::string substitution;  // \0 .. \9
  friend bool operator==(const RegexRewrite&, const RegexRewrite&) = default;
};

// A share of requests in millionths; 1'000'000 = all. Mirrors FractionalPercent.
struct Fraction {
  std::uint32_t per_million = 1'000'000;
  friend bool operator==(const Fraction&, const Fraction&) = default;
};

}  // namespace plait::xds
