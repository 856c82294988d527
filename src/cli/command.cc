#include "cli/command.h"

#include <algorithm>

#include "core/base/strings.h"

namespace plait::cli {

std::string Option::Long() const {
  for (const std::string_view name : Split(names, ','))
    if (name.starts_with("--") || positional()) return std::string(name);
  return names;
}

const Command* Command::Find(const std::string& word) const {
  for (const Command& child : children)
    if (child.name == word || std::find(child.aliases.begin(), child.aliases.end(), word) != child.aliases.end())
      return &child;
  return nullptr;
}

bool Command::Has(const std::string& long_name) const {
  return std::any_of(options.begin(), options.end(), [&](const Option& option) { return option.Long() == long_name; });
}

}  // namespace plait::cli
