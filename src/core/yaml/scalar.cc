#include "core/yaml/scalar.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/strings.h"

namespace plait::yaml {
namespace {

bool OneOf(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
  for (std::string_view word : words)
    if (text == word) return true;
  return false;
}

std::optional<bool> ResolveBool(std::string_view text) noexcept {
  if (OneOf(text, {"true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (OneOf(text, {"false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"})) return false;
  return std::nullopt;
}

// Numbers longer than this are strings to us; no integer or sensible float needs more.
constexpr std::size_t kMaxNumber = 64;
using Scratch = std::array<char, kMaxNumber>;

// `text` without underscores; empty when it cannot be a number.
std::string_view StripNumber(std::string_view text, Scratch& scratch) noexcept {
  if (text.empty() || text.size() > kMaxNumber) return {};
  const char first = text[0];
  if (!IsDigit(first) && first != '-' && first != '+' && first != '.') return {};
  std::size_t n = 0;
  for (char c : text)
    if (c != '_') scratch[n++] = c;
  return {scratch.data(), n};
}

std::optional<Integer> ResolveInteger(std::string_view plain) noexcept {
  Integer out;
  if (plain.starts_with('-') || plain.starts_with('+')) {
    out.negative = plain[0] == '-';
    plain.remove_prefix(1);
  }
  int base = 10;
  if (plain.starts_with("0x") || plain.starts_with("0X")) base = 16;
  if (plain.starts_with("0b") || plain.starts_with("0B")) base = 2;
  if (plain.starts_with("0o") || plain.starts_with("0O")) base = 8;
  if (base != 10) {
    plain.remove_prefix(2);
  } else if (plain.size() > 1 && plain[0] == '0') {
    base = 8;
    plain.remove_prefix(1);
  }
  if (plain.empty()) return std::nullopt;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), out.magnitude, base);
  if (error != std::errc{} || end != plain.data() + plain.size()) return std::nullopt;
  if (out.negative && out.magnitude > std::uint64_t{1} << 63) return std::nullopt;
  return out;
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and .inf, .nan
std::optional<double> ResolveFloat(std::string_view plain) noexcept {
  const bool negative = plain.starts_with('-');
  if (negative || plain.starts_with('+')) plain.remove_prefix(1);
  if (OneOf(plain, {".inf", ".Inf", ".INF"})) {
    const double infinity = std::numeric_limits<double>::infinity();
    return negative ? -infinity : infinity;
  }
  if (OneOf(plain, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
  if (plain.empty() || (!IsDigit(plain[0]) && !(plain[0] == '.' && plain.size() > 1 && IsDigit(plain[1]))))
    return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (end != plain.data() + plain.size() || error != std::errc{}) return std::nullopt;
  return negative ? -value : value;
}

bool IsNull(std::string_view text) noexcept { return OneOf(text, {"", "~", "null", "Null", "NULL"}); }
}  // namespace

ScalarType TypeOf(const Node& scalar) noexcept {
  if (scalar.text_only) return ScalarType::kString;
  if (IsNull(scalar.text)) return ScalarType::kNull;
  if (ResolveBool(scalar.text)) return ScalarType::kBool;
  Scratch scratch;
  const std::string_view plain = StripNumber(scalar.text, scratch);
  if (plain.empty()) return ScalarType::kString;
  if (ResolveInteger(plain)) return ScalarType::kInteger;
  return ResolveFloat(plain) ? ScalarType::kFloat : ScalarType::kString;
}

std::optional<bool> AsBool(const Node& scalar) noexcept {
  if (!scalar.is_scalar() || scalar.text_only) return std::nullopt;
  return ResolveBool(scalar.text);
}

std::optional<Integer> AsInteger(const Node& scalar) noexcept {
  if (!scalar.is_scalar() || scalar.text_only) return std::nullopt;
  Scratch scratch;
  const std::string_view plain = StripNumber(scalar.text, scratch);
  if (plain.empty()) return std::nullopt;
  if (auto integer = ResolveInteger(plain)) return integer;
  const auto value = ResolveFloat(plain);
  // Beyond 2^63 a double no longer tells which integer was meant.
  if (!value || std::trunc(*value) != *value || std::fabs(*value) > 9.2e18) return std::nullopt;
  return Integer{.negative = *value < 0, .magnitude = static_cast<std::uint64_t>(std::fabs(*value))};
}

std::optional<double> AsDouble(const Node& scalar) noexcept {
  if (!scalar.is_scalar() || scalar.text_only) return std::nullopt;
  Scratch scratch;
  const std::string_view plain = StripNumber(scalar.text, scratch);
  if (plain.empty()) return std::nullopt;
  if (const auto integer = ResolveInteger(plain)) {
    const auto magnitude = static_cast<double>(integer->magnitude);
    return integer->negative ? -magnitude : magnitude;
  }
  return ResolveFloat(plain);
}

std::optional<std::int64_t> AsInt64(const Node& scalar) noexcept {
  const auto integer = AsInteger(scalar);
  if (!integer) return std::nullopt;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (integer->negative) {
    if (integer->magnitude == kMax + 1) return std::numeric_limits<std::int64_t>::min();
    return -static_cast<std::int64_t>(integer->magnitude);
  }
  if (integer->magnitude > kMax) return std::nullopt;
  return static_cast<std::int64_t>(integer->magnitude);
}

}  // namespace plait::yaml
