#pragma once
// A file that somebody names on the command line or in a configuration, which may be anything.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/result.h"

namespace plait::io {

// Whether a pipe is read to its end, which may be waited for (a shell's <(...)), or refused, where nobody may wait.
enum class Pipes : std::uint8_t { kRead, kRefused };

// Its whole content. Errors, with the path as their place: kNotFound, it cannot be read; kInvalidInput, it is no
// regular file (a device may never end) and no pipe that is read; kLimit, it has more than `limit` bytes. Cost: at most
// `limit`.
Outcome<std::string> ReadBounded(const std::string& path, std::size_t limit, Pipes pipes);

}  // namespace plait::io
