#pragma once
// The results of `plait check` and `plait doctor`, in the JSON shape of `linkerd check`. Pure.
#include <string>
#include <vector>

#include "cli/render.h"

namespace plait::cli {

struct Check {
  std::string category;     // "plait-identity"
  std::string description;  // what is so when it passes: "every proxy has a valid certificate"
  Mark result = Mark::kPassed;
  std::string detail = {};  // the value that was found, or what is wrong, which may have several lines
  std::string fix = {};     // what to do when it has not passed
};

// Checks of one category stand together. Warnings do not make it fail.
Output ChecksOutput(const std::vector<Check>& checks);
// {"success": ..., "categories": [{"categoryName": ..., "checks": [{"description", "result", "error", "hint"}]}]}
Json ChecksJson(const std::vector<Check>& checks);

}  // namespace plait::cli
