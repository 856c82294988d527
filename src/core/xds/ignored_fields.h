#pragma once
// Fields of accepted messages that are read and not used, each with the reason why that is safe. Nothing here changes
// what is accepted, where it goes or who may send it.
#include <span>
#include <string_view>

namespace plait::xds {

struct IgnoredField {
  std::string_view field;  // full name in the descriptor
  std::string_view reason;
};
std::span<const IgnoredField> IgnoredFields();
bool IsIgnored(std::string_view full_field_name);

}  // namespace plait::xds
