#pragma once
// A program beside this one (plaitd, plait-proxy, plait itself) whose output is read. Blocking.
#include <string>
#include <vector>

#include "core/base/result.h"

namespace plait::cli {

struct ProgramEnd {
  int code = 0;
  std::string out;
  std::string err;
};
// Errors: it is missing. It has no standard input.
Outcome<ProgramEnd> RunProgram(const std::string& name, const std::vector<std::string>& arguments);

// Standard output of `name` with `arguments`, found in the folder of the running executable. Errors: it is missing, or
// ended with another code than 0, with what it wrote to standard error.
Outcome<std::string> OutputOfProgram(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace plait::cli
