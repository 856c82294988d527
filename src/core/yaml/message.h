#pragma once
// Between trees and protobuf messages, by descriptors: protobuf's JSON mapping, with every error at file:line:column.
// Reads camelCase and snake_case, well-known types, Any with "@type", and reports unknown fields ("did you mean").
// Positions of single fields: keep the tree and ask yaml::MarkAt(tree, "spec.http[0].timeout").
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/yaml/node.h"

namespace google::protobuf {
class Message;
class FieldDescriptor;
}  // namespace google::protobuf

namespace plait::yaml {

struct DecodeOptions {
  // Reads messages with a form of their own in JSON (Kubernetes' Quantity, Time ...) in place of the field-by-field
  // mapping. Returns whether it knew the type; sets `error` (text only) when the value is wrong.
  std::function<bool(const Node& node, google::protobuf::Message& message, std::string& error)> special;
  // Message fields whose own fields stand in the parent's object in JSON (Go's `json:",inline"`), by full name.
  std::function<bool(const google::protobuf::FieldDescriptor& field)> inlined;
  std::string fields_listed = {};  // where all fields are listed, for who wrote an unknown one: "the manual lists them"
  std::size_t max_errors = 20;
};

// Fills `message` from a mapping; empty when all of it was understood. After an error the message is incomplete.
[[nodiscard]] Diagnostics Decode(const Node& node, const std::string& file, google::protobuf::Message& message,
                                 const DecodeOptions& options = {});

struct EncodeOptions {
  bool snake_case = true;  // Envoy's config_dump; false: camelCase, as Kubernetes and Istio write
};
// Fields that are set, in field order. An Any of a type that this program does not have becomes {"@type", "value":
// base64}.
Node Encode(const google::protobuf::Message& message, const EncodeOptions& options = {});

}  // namespace plait::yaml
