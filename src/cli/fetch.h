#pragma once
// HTTP for verbs, blocking: to plaitd's debug port, or over a socket that the mesh has connected.
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::cli {
// The body of a 200; errors name the address and the status.
Outcome<std::string> HttpGet(const std::string& url);
Outcome<std::string> HttpGetOver(io::UniqueFd socket, const std::string& path, const std::string& of_whom);
Outcome<std::string> HttpPostOver(io::UniqueFd socket, const std::string& path, const std::string& of_whom);
// For a value in a query: everything but unreserved characters as %XX (RFC 3986 2.1).
std::string UrlEncoded(std::string_view text);
}  // namespace plait::cli
