#pragma once
// Reads YAML 1.1 (JSON is accepted as its subset) into trees. Bounded in size, depth and expansion, so hostile text
// costs at most the limits. The scanner is libyaml's; duplicate keys, NUL, bytes that are not UTF-8 and unknown tags
// are errors with a position. A byte order mark before the text is skipped.
#include <cstddef>
#include <cstdint>
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
// All documents of the text of a scalar (Node::HasPlaces); what they say stands at places of the file that the scalar
// stands in, or else of its text.
Outcome<std::vector<Node>> ParseText(const Node& scalar, const std::string& file, const Limits& limits = {});
// Documents of a text: what they say, or why they cannot be read.
struct Part {
  std::string_view text = {};  // within the text that was given
  std::uint32_t line = 1;      // where it begins
  Outcome<std::vector<Node>> documents;
};
// As ParseAll, but a document that cannot be read takes no other one with it. One part where all can be read. The limit
// of nodes is for all parts together.
std::vector<Part> ParseEach(std::string_view text, const std::string& file, const Limits& limits = {});
// Exactly one document.
Outcome<Node> ParseOne(std::string_view text, const std::string& file, const Limits& limits = {});

}  // namespace plait::yaml
