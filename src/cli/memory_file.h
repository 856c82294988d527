#pragma once
// A file in memory that takes the output of a program: no pipe that could be full while nobody reads.
#include <string>

#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::cli {

// Closed on exec. Errors: no more descriptors.
Outcome<io::UniqueFd> MakeMemoryFile(const char* name);
std::string WholeFile(int fd);

}  // namespace plait::cli
