#pragma once
// Times as access logs write them. Any thread.
#include <string>
#include <string_view>

#include "core/base/time.h"

namespace plait::proxy::record {

enum class Zone : bool { kUtc, kLocal };

// 2026-11-24T14:13:00.123Z.
void AppendTime(WallTime at, std::string& out);
// By strftime, with %f, %1f to %9f for the fraction of the second, %E3S for seconds with one, and %s for the epoch. At
// most 255 bytes; nothing when it would be more.
void AppendTimeAs(WallTime at, std::string_view format, Zone zone, std::string& out);

}  // namespace plait::proxy::record
