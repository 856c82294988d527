#pragma once

namespace plait::xds {

// Instructions of RE2 in a regular expression that a proxy takes: bounds memory and time of one match.
inline constexpr int kMaxRegexProgram = 20'000;

}  // namespace plait::xds
