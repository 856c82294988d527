#pragma once
// What trailers may not say, whatever the version of HTTP: framing and routing are over when they come (RFC
// 9110 6.5.1).
#include "core/http/headers.h"

namespace plait::http {

// Content-Length, Transfer-Encoding or Host is among them. A message with such trailers is refused.
bool HasForbiddenTrailer(const Headers& trailers) noexcept;

}  // namespace plait::http
