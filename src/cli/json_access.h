#pragma once
// Reading JSON that may come from any version of any program: what is missing, or of another type, reads as nothing.
// Never throws.
#include <initializer_list>
#include <string>
#include <string_view>

#include "cli/render.h"

namespace plait::cli {

// Discarded where it is no JSON, or nested more than 512 levels deep: the library copies and writes by recursion.
Json ParseJson(std::string_view text);
const Json& At(const Json& object, std::string_view key);
const Json& At(const Json& object, std::initializer_list<std::string_view> path);
// A string as it is, other values as JSON, nothing as "".
std::string Text(const Json& value);
std::string Text(const Json& object, std::initializer_list<std::string_view> path);
std::string OrDash(std::string text);

}  // namespace plait::cli
