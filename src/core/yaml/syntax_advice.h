#pragma once
// What to do about text that is not YAML: libyaml says what it met, a person wants to know what to change.
#include <string>
#include <string_view>

#include "core/yaml/node.h"

namespace plait::yaml {
// `problem` and `context` are libyaml's words, `begin` is where the context begins (line 0: not known). Never empty.
std::string SyntaxAdvice(std::string_view problem, std::string_view context, Mark begin);
}  // namespace plait::yaml
