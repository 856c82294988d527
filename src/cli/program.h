#pragma once
// A program beside this one (plaitd, plait-proxy) whose output is read. Blocking.
#include <string>
#include <vector>

#include "core/base/result.h"

namespace plait::cli {

// Standard output of `name` with `arguments`, found in the folder of the running executable. Errors: it is missing, or
// ended with another code than 0, with what it wrote to standard error.
Outcome<std::string> OutputOfProgram(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace plait::cli
