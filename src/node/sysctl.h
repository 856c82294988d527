#pragma once
// Kernel settings of the calling thread's network namespace.
#include <string_view>

#include "core/base/result.h"

namespace plait::node {
// Writes /proc/sys/net/<name>, e.g. "ipv4/ip_forward". Errors: kNotFound when this kernel has no such setting.
Outcome<> WriteNetSysctl(std::string_view name, std::string_view value);
}  // namespace plait::node
