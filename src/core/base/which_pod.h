#pragma once
// Which pod a person means by the name of a workload.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace plait {

struct PodName {
  std::string_view name, owner, ns;  // owner: its Deployment, StatefulSet or Job, or empty
  int rank = 0;                      // of several of one owner the highest is meant, then the first by name
};

// The index of POD or OWNER, each with ".NAMESPACE" behind it or without: then `default` is meant, or else the only
// namespace that has it. Errors: kNotFound, also when several have it.
Outcome<std::size_t> WhichPod(const std::vector<PodName>& pods, const std::string& workload);

}  // namespace plait
