#pragma once
// HTTP for verbs, blocking: to plaitd's debug port, or over a socket that the mesh has connected.
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/io/unique_fd.h"

namespace plait::cli {

// How long an answer may take.
inline constexpr Duration kAnswerPatience = std::chrono::seconds(15);
// Where many are asked, or the answer is not all that was asked for.
inline constexpr Duration kShortPatience = std::chrono::seconds(5);

// The body of a 200; errors name the address and the status.
Outcome<std::string> HttpGet(const std::string& url, Duration patience = kAnswerPatience);
Outcome<std::string> HttpGetOver(io::UniqueFd socket, const std::string& path, const std::string& of_whom,
                                 Duration patience = kAnswerPatience);
Outcome<std::string> HttpPostOver(io::UniqueFd socket, const std::string& path, const std::string& of_whom);
}  // namespace plait::cli
