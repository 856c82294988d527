#pragma once
// Loads nftables rules by libnftables into the calling thread's network namespace.
#include <string>

#include "core/base/result.h"

namespace plait::node {

// One transaction; about 1 ms for a workload's rules. At most about 200 KB of text (2,000 map elements): a larger
// one must be split. A context of libnftables belongs to the namespace in which it was made, so each call makes one.
// Errors: kDenied without the right, kUnavailable when the kernel lacks nf_tables.
Outcome<> RunNft(const std::string& commands);

}  // namespace plait::node
