#pragma once
// Text forms of bytes: hex, base64 (RFC 4648, padded; URL form without padding), percent-encoding (RFC 3986).
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace plait {
std::string HexEncode(Bytes bytes);
std::optional<std::string> HexDecode(std::string_view text);
std::string Base64Encode(Bytes bytes);
// Accepts padded and unpadded text and line breaks (as in PEM and Kubernetes Secrets).
std::optional<std::string> Base64Decode(std::string_view text);
std::string Base64UrlEncode(Bytes bytes);
// All but unreserved characters is escaped: "a/b" -> "a%2Fb".
std::string PercentEncode(std::string_view text);
// "%41b" -> "Ab"; nullopt for a broken escape.
std::optional<std::string> PercentDecode(std::string_view text);
}  // namespace plait
