#pragma once
// Path templates of an AuthorizationPolicy: "{*}" stands for one whole segment, "{**}" for any number
// of them, as the last operator.
#include <string>
#include <string_view>

namespace plait::control::model {

inline bool IsPathTemplate(std::string_view path) noexcept {
  return path.find_first_of("{}") != std::string_view::npos;
}
// What a proxy matches a whole path with.
std::string PathTemplateRegex(std::string_view path);
// Whether that is more than a proxy takes.
bool IsTooLarge(std::string_view path_template);

}  // namespace plait::control::model
