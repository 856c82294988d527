#include "core/base/time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "core/base/strings.h"

namespace plait {
namespace {
class System final : public Clock {
 public:
  MonotonicTime Now() const noexcept override { return std::chrono::steady_clock::now(); }
  WallTime Wall() const noexcept override { return std::chrono::system_clock::now(); }
};

std::tm ToUtc(WallTime time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm out{};
  gmtime_r(&seconds, &out);
  return out;
}

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::array<Unit, 7> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"\xc2\xb5s", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", kSecond},
                                         {"m", 60 * kSecond},
                                         {"h", 3600 * kSecond}}};

// "1", "1.5" or ".5" of a unit, in nanoseconds. The whole part is counted in integers: doubles lose nanoseconds from
// some weeks on.
std::optional<std::int64_t> CountOf(std::string_view number, std::int64_t unit) {
  const auto [whole, fraction] = SplitOnce(number, '.');
  if (whole.empty() && fraction.value_or("").empty()) return std::nullopt;
  const auto units = whole.empty() ? std::optional<std::uint64_t>(0) : ParseUint(whole);
  if (!units || *units > static_cast<std::uint64_t>(INT64_MAX / unit)) return std::nullopt;
  const std::int64_t count = static_cast<std::int64_t>(*units) * unit;
  if (!fraction || fraction->empty()) return count;
  const auto part = ParseDouble("0." + std::string(*fraction));
  if (!part) return std::nullopt;
  const std::int64_t rest = std::llround(*part * static_cast<double>(unit));
  return rest > INT64_MAX - count ? std::nullopt : std::optional(count + rest);
}
}  // namespace

const Clock& SystemClock() noexcept {
  static const System clock;
  return clock;
}

std::string FormatRfc3339(WallTime time) {
  const std::tm utc = ToUtc(time);
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const long millis = static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count());
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, millis);
  return text.data();
}

std::string FormatHttpDate(WallTime time) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm utc = ToUtc(time);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                kMonths.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                utc.tm_sec);
  return text.data();
}

// Of the years that nanoseconds in 64 bits hold, 1678 to 2261; others are refused. Digits beyond the ninth of a
// fraction do not count.
std::optional<WallTime> ParseRfc3339(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i)
    if (kShape[i] == '0' ? !IsDigit(text[i]) : text[i] != kShape[i]) return std::nullopt;
  // Of two or four digits, which kShape has made sure of.
  const auto number = [](std::string_view digits) { return static_cast<int>(ParseUint(digits).value_or(0)); };
  const std::chrono::year_month_day date(std::chrono::year(number(text.substr(0, 4))),
                                         std::chrono::month(static_cast<unsigned>(number(text.substr(5, 2)))),
                                         std::chrono::day(static_cast<unsigned>(number(text.substr(8, 2)))));
  const int hour = number(text.substr(11, 2)), minute = number(text.substr(14, 2)), second = number(text.substr(17, 2));
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;  // 60: a leap second
  auto time = std::chrono::sys_seconds(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
              std::chrono::minutes(minute) + std::chrono::seconds(second);
  std::string_view tail = text.substr(kShape.size());
  std::int64_t nanoseconds = 0;
  if (tail.front() == '.') {
    tail.remove_prefix(1);
    if (tail.empty() || !IsDigit(tail.front())) return std::nullopt;
    for (std::int64_t scale = kSecond / 10; !tail.empty() && IsDigit(tail.front()); scale /= 10) {
      nanoseconds += (tail.front() - '0') * scale;
      tail.remove_prefix(1);
    }
  }
  if (tail != "Z" && tail != "z") {
    if (tail.size() != 6 || tail[3] != ':' || (tail[0] != '+' && tail[0] != '-')) return std::nullopt;
    const auto hours = ParseUint(tail.substr(1, 2));
    const auto minutes = ParseUint(tail.substr(4, 2));
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const auto offset = std::chrono::minutes(static_cast<int>(*hours * 60 + *minutes));
    time -= tail[0] == '+' ? offset : -offset;
  }
  constexpr std::int64_t kLast = INT64_MAX / kSecond;
  const std::int64_t seconds = time.time_since_epoch().count();
  if (seconds >= kLast || seconds <= -kLast) return std::nullopt;
  return WallTime(Duration(seconds * kSecond + nanoseconds));
}

std::optional<Duration> ParseDuration(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  if (text == "0") return Duration(0);
  std::int64_t total = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    while (digits < text.size() && (IsDigit(text[digits]) || text[digits] == '.')) ++digits;
    const std::string_view number = text.substr(0, digits);
    text.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < text.size() && !IsDigit(text[letters]) && text[letters] != '.') ++letters;
    const std::string_view name = text.substr(0, letters);
    text.remove_prefix(letters);
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == name; });
    const auto count = unit != kUnits.end() ? CountOf(number, unit->nanoseconds) : std::nullopt;
    if (!count || *count > INT64_MAX - total) return std::nullopt;
    total += *count;
  }
  return Duration(negative ? -total : total);
}

std::string FormatDuration(Duration value) {
  const bool negative = value < Duration(0);
  const auto bits = static_cast<std::uint64_t>(value.count());
  const std::uint64_t count = negative ? 0 - bits : bits;
  std::string out = (negative ? "-" : "") + std::to_string(count / kSecond);
  if (const std::uint64_t rest = count % kSecond; rest != 0) {
    const std::string digits = std::to_string(rest);
    out += "." + std::string(9 - digits.size(), '0') + digits;
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + "s";
}

}  // namespace plait
