#pragma once
// The grammar of RFC 9110 and RFC 9112 on single lines: character classes, request line, status line, field line.
// Pure functions on views. A line comes without its CRLF.
#include <cstdint>
#include <expected>
#include <string_view>

#include "core/base/result.h"
#include "core/http/message.h"

namespace plait::http1 {

// A rule that the peer broke: what a server answers, and the error with Envoy's name for it.
struct Violation {
  std::uint16_t status;
  Error error;
};
template <class T = void>
using Checked = std::expected<T, Violation>;
[[nodiscard]] inline std::unexpected<Violation> Refuse(std::uint16_t status, const char* detail) {
  return std::unexpected(Violation{status, {status == 431 ? Errc::kLimit : Errc::kInvalidInput, detail}});
}

// Envoy's response code details.
inline constexpr const char* kCodecError = "http1.codec_error";
inline constexpr const char* kInvalidCharacters = "http1.invalid_characters";
inline constexpr const char* kHeadersTooLarge = "http1.headers_too_large";
inline constexpr const char* kTooManyHeaders = "http1.too_many_headers";
inline constexpr const char* kTooManyTrailers = "http1.too_many_trailers";
inline constexpr const char* kTrailersTooLarge = "http1.trailers_too_large";
inline constexpr const char* kInvalidUrl = "http1.invalid_url";
inline constexpr const char* kInvalidScheme = "http1.invalid_scheme";
inline constexpr const char* kInvalidTransferEncoding = "http1.invalid_transfer_encoding";
inline constexpr const char* kTransferEncodingNotAllowed = "http1.transfer_encoding_not_allowed";
inline constexpr const char* kContentLengthNotAllowed = "http1.content_length_not_allowed";
inline constexpr const char* kChunkedContentLength = "http1.content_length_and_chunked_not_allowed";
inline constexpr const char* kUnsupportedVersion = "http1.unsupported_version";
inline constexpr const char* kInvalidAuthority = "http.invalid_authority";
inline constexpr const char* kUnexpectedUnderscore = "http1.unexpected_underscore";
inline constexpr const char* kMissingHost = "missing_host_header";

bool IsTokenChar(char c) noexcept;                  // RFC 9110 5.6.2
bool IsToken(std::string_view text) noexcept;       // not empty
bool IsFieldValue(std::string_view text) noexcept;  // no control characters but HTAB; 0x80-0xff allowed

// Method, target (split into scheme, authority, path by its form, RFC 9112 3.2) and version.
Checked<> ParseRequestLine(std::string_view line, http::RequestHead& head);
// Version, status 100..999, reason (may be absent).
Checked<> ParseStatusLine(std::string_view line, http::ResponseHead& head);
struct FieldLine {
  std::string_view name, value;
};
Checked<FieldLine> ParseFieldLine(std::string_view line);

}  // namespace plait::http1
