#include "proxy/record/trace.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/base/strings.h"

namespace plait::proxy::record {
namespace {

bool IsLowerHex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}
bool AllZero(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

// Of B3: 64 or 128 bits, capitals too (some senders leave out zeros in front of the upper half).
bool IsB3TraceId(std::string_view text) noexcept {
  return text.size() >= 16 && text.size() <= 32 && !AllZero(text) && std::all_of(text.begin(), text.end(), [](char c) {
           return IsDigit(c) || (ToLower(c) >= 'a' && ToLower(c) <= 'f');
         });
}

// 16 digits for each 8 bytes; never all zero.
void WriteRandomHex(Random& random, std::span<char> out) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i, word >>= 4) {
    if (i % 16 == 0) word = random.Next() | 1;
    out[i] = "0123456789abcdef"[word & 15];
  }
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
      return {.trace_id = parent->substr(3, 32), .sampled = (digit & 1) != 0};
    }
    headers.Remove("traceparent");
    headers.Remove("tracestate");
  }
  if (const auto trace = headers.Get("x-b3-traceid"); trace && IsB3TraceId(*trace)) {
    return {.trace_id = *trace, .sampled = headers.Get("x-b3-sampled") == "1" || headers.Get("x-b3-flags") == "1"};
  }
  if (const auto b3 = headers.Get("b3")) {
    const std::vector<std::string_view> parts = Split(*b3, '-');
    if (IsB3TraceId(parts[0]))
      return {.trace_id = parts[0], .sampled = parts.size() > 2 && (parts[2] == "1" || parts[2] == "d")};
  }
  // A B3 context that is none stays as it is: who reads B3 judges it as well, and then has the traceparent.
  const bool sampled = static_cast<double>(random.Below(10'000)) < sample_percent * 100;
  std::array<char, 55> made{'0', '0', '-'};
  WriteRandomHex(random, std::span(made).subspan(3, 32));
  made[35] = '-';
  WriteRandomHex(random, std::span(made).subspan(36, 16));
  made[52] = '-';
  made[53] = '0';
  made[54] = sampled ? '1' : '0';
  headers.Set("traceparent", std::string_view(made.data(), made.size()));
  return {.trace_id = headers.Get("traceparent")->substr(3, 32), .sampled = sampled, .made_here = true};
}

}  // namespace plait::proxy::record
