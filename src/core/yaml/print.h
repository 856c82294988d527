#pragma once
// Writes a tree as JSON (RFC 8259) or as block-style YAML. What is printed reads back as the same tree.
#include <string>

#include "core/yaml/node.h"

namespace plait::yaml {
std::string ToJson(const Node& node);  // one line
std::string ToPrettyJson(
    const Node& node);                 // one space an indentation level, as Envoy's config_dump; ends with newline
std::string ToYaml(const Node& node);  // ends with newline
std::string JsonQuote(std::string_view text);
}  // namespace plait::yaml
