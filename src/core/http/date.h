#pragma once
// The Date field (RFC 9110 6.6.1), formatted once a second a thread.
#include <string_view>

#include "core/base/time.h"

namespace plait::http {
// Valid until the next call on this thread.
std::string_view HttpDate(WallTime now);
}  // namespace plait::http
