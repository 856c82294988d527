#pragma once
// The sample applications that come with Plait, found from the binary's own place.
#include <string>

#include "core/base/result.h"

namespace plait::cli {
// The folder of a sample in the source tree of the build, or in ../share/plait/samples of an installation.
Outcome<std::string> SampleFolder(const std::string& name);
// A copy of it in `folder` (which is made anew), whose files its owner may edit; its path.
Outcome<std::string> CopySample(const std::string& name, const std::string& folder);
}  // namespace plait::cli
