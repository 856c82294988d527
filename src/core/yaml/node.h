#pragma once
// A YAML (or JSON) document as a tree in which every node knows where it was written. Small and copyable; owned by who
// parsed it, usually only while an object is decoded and checked. Not tied to a thread.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace plait::yaml {

// 1-based; 0 = unknown. Columns count bytes, as editors that are asked for "file:line:column" do for ASCII.
struct Mark {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const Mark&, const Mark&) = default;
};

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { kScalar, kSequence, kMapping };

  Kind kind = Kind::kScalar;
  bool text_only = false;  // quoted, a block scalar or tagged !!str: never null, bool or number
  // Of a literal block ("|"): how far its lines are indented, so that line n of `text` is line at.line + n of the file.
  // 0: of anything else, whose lines are not the file's.
  std::uint16_t indent = 0;
  Mark at = {};
  std::string text = {};         // of a scalar
  std::vector<Node> items = {};  // of a sequence
  std::vector<Entry> entries;    // of a mapping, in the order written; keys are unique

  static Node Text(std::string value);   // a string, whatever it looks like
  static Node Plain(std::string value);  // a plain scalar: resolves as YAML 1.1 does
  static Node Sequence();
  static Node Mapping();
  void Add(std::string key, Node value);  // to a mapping; the caller knows that `key` is new

  bool is_scalar() const noexcept { return kind == Kind::kScalar; }
  bool is_sequence() const noexcept { return kind == Kind::kSequence; }
  bool is_mapping() const noexcept { return kind == Kind::kMapping; }
  bool is_null() const noexcept;
  bool HasPlaces() const noexcept { return indent > 0; }  // whether the places in `text` are known in the file
  bool is_string() const noexcept;                        // a scalar that is neither null, bool nor number

  // The value of a key of this mapping; null when absent or when this is no mapping. O(entries).
  const Node* Find(std::string_view key) const noexcept;
  // The text of a scalar child; empty when absent.
  std::string_view FindText(std::string_view key) const noexcept;
};

struct Entry {
  std::string key;
  Mark at = {};
  Node value;
};

bool operator==(const Node& a, const Node& b);  // content only, positions are not compared

// The node at a path such as "spec.http[0].match[1].uri" or `metadata.labels["a.b"]`; field names match in camelCase
// and snake_case. Stops at the deepest node that exists, so that an absent field has its parent's position.
const Node& Locate(const Node& root, std::string_view path) noexcept;
Mark MarkAt(const Node& root, std::string_view path) noexcept;

// "sourceLabels" and "source_labels" are the same field.
bool SameFieldName(std::string_view a, std::string_view b) noexcept;

inline Position At(const std::string& file, Mark mark) { return {file, mark.line, mark.column}; }

// "a mapping", "a list", "the string "x"", "the number 5" ... for messages.
std::string Describe(const Node& node);

}  // namespace plait::yaml
