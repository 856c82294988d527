#pragma once
// How much is told of one file: generated text may have as many errors as lines.
#include <array>
#include <cstddef>
#include <map>
#include <string>

#include "control/model/finding.h"

namespace plait::control::model {

class FindingLimit {
 public:
  static constexpr std::size_t kMost = 100;  // of each severity, of each file

  // Of what was added to `findings` since the last call, drops what is beyond; findings of no file stay. Between the
  // calls nothing else is removed from it.
  void Apply(Findings& findings);
  // To be called last: a finding for each severity and file of which something was dropped, as severe as that.
  void TellDropped(Findings& findings) const;

 private:
  struct Count {
    std::size_t kept = 0, dropped = 0;
  };
  std::map<std::string, std::array<Count, 3>> files_;  // by severity
  std::size_t seen_ = 0;
};

// All at once.
void LimitFindings(Findings& findings);

}  // namespace plait::control::model
