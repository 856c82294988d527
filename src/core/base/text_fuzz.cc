// Small values as text: numbers, ports, times, durations, lists, levels of loggers. Checked: a number is what its
// digits say, and what was read reads the same once it has been written.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/port.h"
#include "core/base/strings.h"
#include "core/base/time.h"

namespace {
using namespace plait;

log::Component kLog("fuzz");

bool AreDigits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit); }

// Without the zeros in front.
std::string_view Canonical(std::string_view digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1));
}

void Numbers(std::string_view text) {
  const auto number = ParseUint(text);
  if (number) PLAIT_CHECK(AreDigits(text) && std::to_string(*number) == Canonical(text));
  if (!number && AreDigits(text)) PLAIT_CHECK(Canonical(text).size() >= 20);  // too large
  const bool negative = text.starts_with('-');
  if (const auto whole = ParseInt(text)) {
    const std::string_view digits = Canonical(text.substr(negative ? 1 : 0));
    PLAIT_CHECK(std::to_string(*whole) == (negative && digits != "0" ? "-" : "") + std::string(digits));
  }
  const bool is_port = number && *number >= 1 && *number <= 65535 && text.size() <= 5;
  const auto port = ParsePort(text);
  PLAIT_CHECK(port.has_value() == is_port && (!port || port->value == *number));
  if (const auto real = ParseDouble(text); real && !std::isnan(*real)) {
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *real).ptr;
    PLAIT_CHECK(ParseDouble({digits.data(), end}) == *real);
  }
}

void Times(std::string_view text) {
  if (const auto time = ParseRfc3339(text))
    PLAIT_CHECK(ParseRfc3339(FormatRfc3339(*time)) == std::chrono::floor<std::chrono::milliseconds>(*time));
  if (const auto duration = ParseDuration(text)) PLAIT_CHECK(ParseDuration(FormatDuration(*duration)) == *duration);
  std::int64_t count = 0;
  std::memcpy(&count, text.data(), std::min(text.size(), sizeof count));
  if (count != INT64_MIN) PLAIT_CHECK(ParseDuration(FormatDuration(Duration(count))) == Duration(count));
}

void Lists(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, ',');
  PLAIT_CHECK(Join({parts.begin(), parts.end()}, ",") == text);
  const auto [first, rest] = SplitOnce(text, ',');
  PLAIT_CHECK(first == parts.front() && rest.has_value() == (parts.size() > 1));
  if (rest) PLAIT_CHECK(first.size() + 1 + rest->size() == text.size() && text.ends_with(*rest));
  const std::string_view trimmed = Trim(text);
  PLAIT_CHECK(Trim(trimmed) == trimmed && text.find(trimmed) != std::string_view::npos);
  const std::string lower = ToLower(text);
  PLAIT_CHECK(EqualsIgnoreCase(lower, text) && ToLower(lower) == lower);
}

// What is refused changes nothing.
void Levels(std::string_view text) {
  const std::string before = log::DescribeLevels();
  if (!log::SetLevels(text)) PLAIT_CHECK(log::DescribeLevels() == before);
  PLAIT_CHECK(log::SetLevels("info") && log::IsComponent(kLog.name()));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Numbers(text);
  Times(text);
  Lists(text);
  Levels(text);
  return 0;
}
