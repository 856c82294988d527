#pragma once
// gRPC status codes and their wire forms (grpc/doc: PROTOCOL-HTTP2.md, http-grpc-status-mapping.md, grpc-timeout).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/http/codec.h"
#include "core/http/headers.h"

namespace plait::grpc {

enum class Code : std::uint8_t {
  kOk = 0,
  kCancelled,
  kUnknown,
  kInvalidArgument,
  kDeadlineExceeded,
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kResourceExhausted,
  kFailedPrecondition,
  kAborted,
  kOutOfRange,
  kUnimplemented,
  kInternal,
  kUnavailable,
  kDataLoss,
  kUnauthenticated = 16
};
std::string_view CodeName(Code code) noexcept;  // "PERMISSION_DENIED"

struct Status {
  Code code = Code::kOk;
  std::string message;
  std::string details;  // grpc-status-details-bin: a google.rpc.Status, or empty
  bool ok() const noexcept { return code == Code::kOk; }
  std::string ToString() const;  // "PERMISSION_DENIED: node id differs"
  friend bool operator==(const Status&, const Status&) = default;
};

// Keys are lower case; the values of keys ending in "-bin" are base64 on the wire and stay so here (Base64Encode).
using Metadata = http::Headers;

// grpc-message: bytes outside 0x20..0x7e and '%' as %XX. Decoding keeps broken escapes as they are.
std::string EncodeMessage(std::string_view text);
std::string DecodeMessage(std::string_view text);
// grpc-timeout: at most eight digits and a unit of HMSmun. nullopt when it is not that.
std::optional<Duration> ParseTimeout(std::string_view text);
std::string FormatTimeout(Duration timeout);  // rounded up, never "0"
Code CodeOfHttpStatus(std::uint16_t status) noexcept;
Code CodeOfReset(http::ResetReason reason) noexcept;
// Status of trailers (or of trailers-only headers); kUnknown when grpc-status is absent or not a number.
Status StatusOf(const http::Headers& trailers);
void AddStatus(http::Headers& trailers, const Status& status);

}  // namespace plait::grpc
