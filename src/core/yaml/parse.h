#pragma once
// Reads YAML 1.1 (JSON is accepted as its subset) into trees. Bounded in size, depth and expansion, so hostile text
// costs at most the limits. The scanner is libyaml's; duplicate keys, NUL, bytes that are not UTF-8 and unknown tags
// are errors with a position.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/yaml/node.h"

namespace plait::yaml {

struct Limits {
  std::size_t bytes = std::size_t{4} << 20;
  std::size_t depth = 100;
  std::size_t nodes = 500'000;  // after aliases are expanded
};

// All documents of a text, without those that are empty. `file` is used in messages only.
Outcome<std::vector<Node>> ParseAll(std::string_view text, const std::string& file, const Limits& limits = {});
// Exactly one document.
Outcome<Node> ParseOne(std::string_view text, const std::string& file, const Limits& limits = {});

}  // namespace plait::yaml
