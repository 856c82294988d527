#pragma once
// What `plait logs` adds to a denial of which the access log can say only that no ALLOW rule matched
// (rbac_access_denied_matched_policy[none], semantics.md 5). Pure.
#include <string>
#include <string_view>
#include <vector>

#include "cli/render.h"

namespace plait::cli {

// "default/details-viewer rule[0]" for each rule of an ALLOW policy in a proxy's /config_dump, each once, sorted.
std::vector<std::string> AllowRulesOf(const Json& config_dump);

bool IsDenialWithoutRule(std::string_view log_line);
// The line that explains it, with its end.
std::string ExplainDenial(const std::vector<std::string>& allow_rules);

}  // namespace plait::cli
