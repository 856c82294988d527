#pragma once
// Normalization of request targets before routing and authorization, as HttpConnectionManager's normalize_path,
// merge_slashes and path_with_escaped_slashes_action; and look-up in the query. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plait::http {

enum class EscapedSlashes : std::uint8_t { kKeep, kReject, kUnescapeAndRedirect, kUnescapeAndForward };

struct PathOptions {
  bool normalize = true;  // RFC 3986 6.2.2: dot segments, %XX of unreserved characters, '\' is '/'
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeep;  // %2F and %5C
};

enum class PathVerdict : std::uint8_t {
  kOk,
  kReject,    // answer 400: a fragment, an escaped slash under kReject, or a path that has no normal form
  kRedirect,  // answer 307 to the normalized target (kUnescapeAndRedirect, and an escaped slash was there)
};
// Normalizes the path of `target` in place; its query stays as it is. "*" and an empty target are left alone.
PathVerdict NormalizePath(std::string& target, const PathOptions& options);

// The value of the first query parameter `name`, still encoded; "" for a name without '='; nullopt when absent.
std::optional<std::string_view> QueryParameter(std::string_view target, std::string_view name) noexcept;

}  // namespace plait::http
