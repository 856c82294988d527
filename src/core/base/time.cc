#include "core/base/time.h"

#include <array>
#include <cmath>
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
  double nanoseconds;
};
constexpr std::array<Unit, 7> kUnits = {
    {{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
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

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  const std::string copy(text);
  std::tm utc{};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr) return std::nullopt;
  WallTime time{std::chrono::seconds(timegm(&utc))};
  std::string_view tail(rest);
  if (!tail.empty() && tail.front() == '.') {
    std::size_t digits = 1;
    while (digits < tail.size() && IsDigit(tail[digits])) ++digits;
    const auto fraction = ParseDouble("0" + std::string(tail.substr(0, digits)));
    if (!fraction) return std::nullopt;
    time += Duration(std::llround(*fraction * 1e9));
    tail.remove_prefix(digits);
  }
  if (tail == "Z" || tail == "z") return time;
  if (tail.size() != 6 || tail[3] != ':' || (tail[0] != '+' && tail[0] != '-')) return std::nullopt;
  const auto hours = ParseUint(tail.substr(1, 2));
  const auto minutes = ParseUint(tail.substr(4, 2));
  if (!hours || !minutes) return std::nullopt;
  const auto offset = std::chrono::minutes(static_cast<int>(*hours * 60 + *minutes));
  return tail[0] == '+' ? time - offset : time + offset;
}

std::optional<Duration> ParseDuration(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  if (text == "0") return Duration(0);
  double total = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    while (digits < text.size() && (IsDigit(text[digits]) || text[digits] == '.')) ++digits;
    const auto number = ParseDouble(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < text.size() && !IsDigit(text[letters]) && text[letters] != '.') ++letters;
    const std::string_view unit = text.substr(0, letters);
    text.remove_prefix(letters);
    double scale = 0;
    for (const Unit& known : kUnits)
      if (known.name == unit) scale = known.nanoseconds;
    if (scale == 0) return std::nullopt;
    total += *number * scale;
  }
  if (total > 9e18) return std::nullopt;
  return Duration(std::llround(negative ? -total : total));
}

std::string FormatDuration(Duration value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.9f", static_cast<double>(value.count()) / 1e9);
  std::string out(text.data());
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out + "s";
}

}  // namespace plait
