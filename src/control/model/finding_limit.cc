#include "control/model/finding_limit.h"

#include <algorithm>
#include <utility>

namespace plait::control::model {

void FindingLimit::Apply(Findings& findings) {
  const auto added = findings.begin() + static_cast<std::ptrdiff_t>(seen_);
  const auto end = std::remove_if(added, findings.end(), [this](const Finding& finding) {
    if (finding.diagnostic.at.file.empty()) return false;
    Count& count = files_[finding.diagnostic.at.file][static_cast<std::size_t>(finding.severity)];
    const bool drop = count.kept == kMost;
    ++(drop ? count.dropped : count.kept);
    return drop;
  });
  findings.erase(end, findings.end());
  seen_ = findings.size();
}

// The number is no part of the message: as long as there are more, it is the same problem.
void FindingLimit::TellDropped(Findings& findings) const {
  constexpr std::array kNames = {"notes on", "warnings of", "errors in"};
  for (const auto& [file, counts] : files_)
    for (std::size_t severity = 0; severity < counts.size(); ++severity) {
      const std::size_t dropped = counts[severity].dropped;
      if (dropped == 0) continue;
      findings.push_back(
          {static_cast<Severity>(severity),
           {.message = std::string("there are more ") + kNames[severity] + " this file than the " +
                       std::to_string(kMost) + " that are told",
            .at = {.file = file},
            .hint = "and " + std::to_string(dropped) + " more: see to those that are told, then others are"}});
    }
}

void LimitFindings(Findings& findings) {
  FindingLimit limit;
  limit.Apply(findings);
  limit.TellDropped(findings);
}

}  // namespace plait::control::model
