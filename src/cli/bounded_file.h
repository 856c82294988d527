#pragma once
// A file that somebody names on the command line, which may be anything.
#include <cstddef>
#include <string>

#include "core/base/result.h"

namespace plait::cli {

// Its whole content. Errors, with the path as their place: it cannot be read, is neither a regular file nor a pipe (a
// device may never end), or has more than `limit` bytes. Of a pipe it waits for the end. Cost: at most `limit`.
Outcome<std::string> ReadBounded(const std::string& path, std::size_t limit);

}  // namespace plait::cli
