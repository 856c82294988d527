#include "cli/denials.h"

#include <nlohmann/json.hpp>
#include <set>

namespace plait::cli {
namespace {

constexpr int kMaxDepth = 64;  // of a dump: its resources nest less than half as deep

// "ns[a]-policy[b]-rule[0]" -> "a/b rule[0]"; other names stay.
std::string Readable(const std::string& name) {
  constexpr std::string_view kSpace = "ns[";
  constexpr std::string_view kPolicy = "]-policy[";
  constexpr std::string_view kRule = "]-rule[";
  const std::size_t policy = name.find(kPolicy);
  const std::size_t rule = name.rfind(kRule);
  if (!name.starts_with(kSpace) || policy == std::string::npos || rule == std::string::npos || rule < policy)
    return name;
  const std::size_t from = policy + kPolicy.size();
  return name.substr(kSpace.size(), policy - kSpace.size()) + "/" + name.substr(from, rule - from) + " " +
         name.substr(rule + 2);
}

// An RBAC is an object with policies whose action is not set (ALLOW is 0) or ALLOW, wherever it stands.
void Collect(const Json& at, int depth, std::set<std::string>& to) {
  if (depth > kMaxDepth || !at.is_structured()) return;
  if (at.is_object()) {
    const auto policies = at.find("policies");
    const auto action = at.find("action");
    const bool allows = action == at.end() || *action == "ALLOW";
    if (allows && policies != at.end() && policies->is_object())
      for (const auto& [name, rule] : policies->items()) to.insert(Readable(name));
  }
  for (const Json& child : at) Collect(child, depth + 1, to);
}

}  // namespace

std::vector<std::string> AllowRulesOf(const Json& config_dump) {
  std::set<std::string> names;
  Collect(config_dump, 0, names);
  return {names.begin(), names.end()};
}

bool IsDenialWithoutRule(std::string_view log_line) {
  return log_line.find("rbac_access_denied_matched_policy[none]") != std::string_view::npos;
}

std::string ExplainDenial(const std::vector<std::string>& allow_rules) {
  if (allow_rules.empty()) return "";
  std::string text = "    plait: denied, since it matches no rule of the ALLOW policies in scope: ";
  for (std::size_t i = 0; i < allow_rules.size(); ++i) text += (i > 0 ? ", " : "") + allow_rules[i];
  return text + "\n";
}

}  // namespace plait::cli
