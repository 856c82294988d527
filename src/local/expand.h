#pragma once
// $(NAME) in variables, commands and arguments of a container, as Kubernetes expands it. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "local/desired.h"

namespace plait::local {

// Each $(NAME) of a name in `variables` becomes its value; others stay as they are, and $$(NAME) becomes $(NAME).
std::string Expand(std::string_view text, const std::vector<EnvVar>& variables);

}  // namespace plait::local
