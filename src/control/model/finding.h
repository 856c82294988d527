#pragma once
// What reading, checking and merging configuration has to say to a person, with Istio's analyzer code where it has one.
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace plait::control::model {

enum class Severity : std::uint8_t { kInfo, kWarning, kError };

struct Finding {
  Severity severity = Severity::kError;
  Diagnostic diagnostic = {};
  std::string code = {};  // "IST0101"; empty when Istio has none
  // Of an object's name for another one that is not there, whatever runs: what to do about it. Else empty.
  std::string remedy = {};
  // "Error [IST0101] file:line:column: VirtualService default/reviews: message (hint)".
  std::string ToString() const;
  friend bool operator==(const Finding&, const Finding&) = default;
};
using Findings = std::vector<Finding>;

bool HasErrors(const Findings& findings) noexcept;

}  // namespace plait::control::model
