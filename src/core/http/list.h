#pragma once
// Lists of tokens in the value of a field, separated by commas (RFC 9110 5.6.1).
#include <string_view>

namespace plait::http {

// `token`, which is not empty, as the list spells it; empty when it is not in it. Case does not matter.
std::string_view TokenIn(std::string_view list, std::string_view token) noexcept;

}  // namespace plait::http
