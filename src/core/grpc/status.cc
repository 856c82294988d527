#include "core/grpc/status.h"

#include <algorithm>
#include <array>

#include "core/base/strings.h"

namespace plait::grpc {
namespace {
constexpr std::array<std::string_view, 17> kNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

struct Unit {
  char letter;
  std::int64_t nanoseconds;
};
constexpr std::array<Unit, 6> kUnits = {
    {{'n', 1}, {'u', 1'000}, {'m', 1'000'000}, {'S', 1'000'000'000}, {'M', 60'000'000'000}, {'H', 3'600'000'000'000}}};
constexpr std::int64_t kMaxTimeoutValue = 99'999'999;  // eight digits

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

std::string_view CodeName(Code code) noexcept {
  const auto i = static_cast<std::size_t>(code);
  return i < kNames.size() ? kNames[i] : "UNKNOWN";
}

std::string Status::ToString() const {
  std::string out(CodeName(code));
  if (!message.empty()) out += ": " + message;
  return out;
}

std::string EncodeMessage(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string DecodeMessage(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<Duration> ParseTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const auto value = ParseUint(text.substr(0, text.size() - 1));
  if (!value) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (unit.letter != text.back()) continue;
    // Some 11,000 years in hours do not fit nanoseconds: the largest duration then.
    const auto count = static_cast<std::int64_t>(*value);
    return count > Duration::max().count() / unit.nanoseconds ? Duration::max() : Duration(count * unit.nanoseconds);
  }
  return std::nullopt;
}

std::string FormatTimeout(Duration timeout) {
  const std::int64_t wanted = std::max<std::int64_t>(timeout.count(), 1);
  for (const Unit& unit : kUnits) {
    const std::int64_t value = (wanted - 1) / unit.nanoseconds + 1;
    if (value <= kMaxTimeoutValue) return std::to_string(value) + unit.letter;
  }
  return std::to_string(kMaxTimeoutValue) + 'H';
}

Code CodeOfHttpStatus(std::uint16_t status) noexcept {
  switch (status) {
    case 400: return Code::kInternal;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return Code::kUnavailable;
    default: return Code::kUnknown;
  }
}

Code CodeOfReset(http::ResetReason reason) noexcept {
  switch (reason) {
    case http::ResetReason::kCancel: return Code::kCancelled;
    case http::ResetReason::kRefused:
    case http::ResetReason::kConnectionClosed: return Code::kUnavailable;
    case http::ResetReason::kOverflow: return Code::kResourceExhausted;
    case http::ResetReason::kTimedOut: return Code::kDeadlineExceeded;
    default: return Code::kInternal;
  }
}

Status StatusOf(const http::Headers& trailers) {
  const auto text = trailers.Get("grpc-status");
  const auto number = text ? ParseUint(*text) : std::nullopt;
  if (!number) return {.code = Code::kUnknown, .message = "the answer carries no grpc-status", .details = {}};
  Status out;
  out.code = *number < kNames.size() ? static_cast<Code>(*number) : Code::kUnknown;
  out.message = DecodeMessage(trailers.Get("grpc-message").value_or(""));
  out.details = trailers.Get("grpc-status-details-bin").value_or("");
  return out;
}

void AddStatus(http::Headers& trailers, const Status& status) {
  trailers.Add("grpc-status", std::to_string(static_cast<int>(status.code)));
  if (!status.message.empty()) trailers.Add("grpc-message", EncodeMessage(status.message));
  if (!status.details.empty()) trailers.Add("grpc-status-details-bin", status.details);
}

}  // namespace plait::grpc
