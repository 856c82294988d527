#pragma once
// Lists of tokens in the value of a field, separated by commas (RFC 9110 5.6.1).
#include <optional>
#include <string_view>

namespace plait::http {

// `token` as the list spells it, if it is in it. Case does not matter.
std::optional<std::string_view> TokenIn(std::string_view list, std::string_view token) noexcept;

}  // namespace plait::http
