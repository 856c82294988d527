#include "local/expand.h"

#include <algorithm>

namespace plait::local {

std::string Expand(std::string_view text, const std::vector<EnvVar>& variables) {
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {  // one of them stands for itself
      out += '$';
      text.remove_prefix(2);
      continue;
    }
    const std::size_t end = text.starts_with("$(") ? text.find(')') : std::string_view::npos;
    const auto found = end == std::string_view::npos
                           ? variables.end()
                           : std::find_if(variables.begin(), variables.end(), [&](const EnvVar& variable) {
                               return variable.name == text.substr(2, end - 2);
                             });
    const bool known = found != variables.end();
    out += known ? std::string_view(found->value) : text.substr(0, 1);
    text.remove_prefix(known ? end + 1 : 1);
  }
  return out;
}

}  // namespace plait::local
