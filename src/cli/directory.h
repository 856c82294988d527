#pragma once
// The directory of YAML that a person names on the command line.
#include <string>

#include "core/base/result.h"

namespace plait::cli {

// Whether it is one. Errors: wrong usage; what else it is, or why it cannot be seen.
Outcome<> CheckDirectory(const std::string& path);

}  // namespace plait::cli
