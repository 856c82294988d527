#pragma once
// "did you mean": the candidate that is nearest to what was written.
#include <string>
#include <string_view>
#include <vector>

namespace plait::yaml {
// Empty when nothing is near (more than a third of the letters would change). O(candidates * length^2).
std::string Nearest(std::string_view written, const std::vector<std::string_view>& candidates);
// `did you mean "x"?`, or, without a near candidate and with few of them, `one of: a, b, c`; empty otherwise.
std::string Suggest(std::string_view written, const std::vector<std::string_view>& candidates);
}  // namespace plait::yaml
