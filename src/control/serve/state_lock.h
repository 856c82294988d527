#pragma once
// A state directory belongs to one plaitd at a time: two would sign with two roots and overwrite each other's files.
#include <string>

#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::control::serve {

// Makes the directory (0700) if it is not there and takes DIRECTORY/plaitd.lock, which holds the owner's pid for
// people. The lock goes with the descriptor, also when the process is killed. Errors name the directory, and the
// process that has it.
Outcome<io::UniqueFd> LockState(const std::string& directory);

}  // namespace plait::control::serve
