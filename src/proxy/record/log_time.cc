#include "proxy/record/log_time.h"

#include <cstdint>
#include <ctime>

namespace plait::proxy::record {
namespace {

void AppendPadded(std::uint64_t value, int digits, std::string& out) {
  char text[12];
  for (int i = digits; i-- > 0; value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<std::size_t>(digits));
}

// The first digits of a fraction of a second.
void AppendFraction(std::uint64_t nanos, int digits, std::string& out) {
  for (int i = digits; i < 9; ++i) nanos /= 10;
  AppendPadded(nanos, digits, out);
}

}  // namespace

// The second's text is kept: many records share it.
void AppendTime(WallTime at, std::string& out) {
  struct Second {
    std::int64_t value = INT64_MIN;
    char text[24] = {};
  };
  thread_local Second second;
  const auto nanos = at.time_since_epoch().count();
  const std::int64_t seconds = nanos / 1'000'000'000;
  if (second.value != seconds) {
    const std::time_t whole = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&whole, &parts);
    std::strftime(second.text, sizeof second.text, "%Y-%m-%dT%H:%M:%S", &parts);
    second.value = seconds;
  }
  out += second.text;
  out += '.';
  AppendPadded(static_cast<std::uint64_t>(nanos % 1'000'000'000) / 1'000'000, 3, out);
  out += 'Z';
}

void AppendTimeAs(WallTime at, std::string_view format, Zone zone, std::string& out) {
  const auto nanos = at.time_since_epoch().count();
  const std::time_t whole = static_cast<std::time_t>(nanos / 1'000'000'000);
  const auto fraction = static_cast<std::uint64_t>(nanos % 1'000'000'000);
  std::string plain;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const std::string_view rest = format.substr(i);
    const auto digit = [&](std::size_t place) {
      return place < rest.size() && rest[place] >= '1' && rest[place] <= '9';
    };
    if (rest.starts_with("%f")) {
      AppendFraction(fraction, 9, plain);
      ++i;
    } else if (rest[0] == '%' && digit(1) && rest.substr(2).starts_with('f')) {
      AppendFraction(fraction, rest[1] - '0', plain);
      i += 2;
    } else if (rest.starts_with("%E") && digit(2) && rest.substr(3).starts_with('S')) {
      plain += "%S.";
      AppendFraction(fraction, rest[2] - '0', plain);
      i += 3;
    } else if (rest.starts_with("%s")) {
      plain += std::to_string(whole);
      ++i;
    } else if (rest.starts_with("%%")) {
      plain += "%%";
      ++i;
    } else {
      plain += format[i];
    }
  }
  std::tm parts{};
  if (zone == Zone::kLocal) {
    localtime_r(&whole, &parts);
  } else {
    gmtime_r(&whole, &parts);
  }
  char text[256];
  out.append(text, std::strftime(text, sizeof text, plain.c_str(), &parts));
}

}  // namespace plait::proxy::record
