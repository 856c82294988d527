#include "proxy/record/trace.h"

#include <algorithm>

#include "core/base/encoding.h"
#include "core/base/strings.h"

namespace plait::proxy::record {
namespace {

bool IsLowerHex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}
bool AllZero(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

std::string RandomHex(Random& random, int words) {
  std::string text;
  for (int i = 0; i < words; ++i) {
    const std::uint64_t word = random.Next() | 1;  // an id is never all zero
    text += HexEncode({reinterpret_cast<const std::uint8_t*>(&word), sizeof word});
  }
  return text;
}

}  // namespace

bool ValidTraceparent(std::string_view text) noexcept {
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  if (!IsLowerHex(version) || !IsLowerHex(trace) || !IsLowerHex(parent) || !IsLowerHex(text.substr(53, 2)))
    return false;
  if (version == "ff" || AllZero(trace) || AllZero(parent)) return false;
  // Version 00 has exactly this length; later ones may append fields after a dash.
  return text.size() == 55 || (version != "00" && text[55] == '-');
}

TraceContext PropagateTrace(http::Headers& headers, double sample_percent, Random& random) {
  if (const auto parent = headers.Get("traceparent")) {
    if (ValidTraceparent(*parent)) {
      const char flags = (*parent)[54];
      const int digit = IsDigit(flags) ? flags - '0' : flags - 'a' + 10;
      return {.trace_id = std::string(parent->substr(3, 32)), .sampled = (digit & 1) != 0};
    }
    headers.Remove("traceparent");
    headers.Remove("tracestate");
  }
  if (const auto trace = headers.Get("x-b3-traceid"); trace && !trace->empty()) {
    return {.trace_id = std::string(*trace),
            .sampled = headers.Get("x-b3-sampled") == "1" || headers.Get("x-b3-flags") == "1"};
  }
  if (const auto b3 = headers.Get("b3"); b3 && b3->size() > 1) {
    const std::vector<std::string_view> parts = Split(*b3, '-');
    return {.trace_id = std::string(parts[0]), .sampled = parts.size() > 2 && (parts[2] == "1" || parts[2] == "d")};
  }
  TraceContext made{.trace_id = RandomHex(random, 2), .made_here = true};
  made.sampled = static_cast<double>(random.Below(10'000)) < sample_percent * 100;
  headers.Set("traceparent", "00-" + made.trace_id + "-" + RandomHex(random, 1) + (made.sampled ? "-01" : "-00"));
  return made;
}

}  // namespace plait::proxy::record
