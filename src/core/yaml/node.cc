#include "core/yaml/node.h"

#include "core/base/strings.h"
#include "core/yaml/scalar.h"

namespace plait::yaml {

Node Node::Text(std::string value) {
  Node node = Plain(std::move(value));
  node.text_only = true;
  return node;
}

Node Node::Plain(std::string value) {
  Node node;
  node.text = std::move(value);
  return node;
}

Node Node::Sequence() {
  Node node;
  node.kind = Kind::kSequence;
  return node;
}

Node Node::Mapping() {
  Node node;
  node.kind = Kind::kMapping;
  return node;
}

void Node::Add(std::string key, Node value) {
  kind = Kind::kMapping;
  entries.push_back({std::move(key), {}, std::move(value)});
}

bool Node::is_null() const noexcept { return is_scalar() && TypeOf(*this) == ScalarType::kNull; }
bool Node::is_string() const noexcept { return is_scalar() && TypeOf(*this) == ScalarType::kString; }

const Node* Node::Find(std::string_view key) const noexcept {
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

std::string_view Node::FindText(std::string_view key) const noexcept {
  const Node* child = Find(key);
  return child && child->is_scalar() && !child->is_null() ? std::string_view(child->text) : std::string_view();
}

bool operator==(const Node& a, const Node& b) {
  if (a.kind != b.kind) return false;
  if (a.is_scalar()) {
    const ScalarType type = TypeOf(a);
    if (type != TypeOf(b)) return false;
    if (type == ScalarType::kNull) return true;
    if (type == ScalarType::kBool) return AsBool(a) == AsBool(b);
    if (type == ScalarType::kString || a.text == b.text) return a.text == b.text;
    const auto x = AsInteger(a);
    const auto y = AsInteger(b);
    if (x && y) return x->magnitude == y->magnitude && x->negative == y->negative;
    return AsDouble(a) == AsDouble(b);
  }
  if (a.is_sequence()) return a.items == b.items;
  if (a.entries.size() != b.entries.size()) return false;
  for (std::size_t i = 0; i < a.entries.size(); ++i)
    if (a.entries[i].key != b.entries[i].key || !(a.entries[i].value == b.entries[i].value)) return false;
  return true;
}

bool SameFieldName(std::string_view a, std::string_view b) noexcept {
  // Both are read as snake_case: an upper-case letter counts as '_' and its lower-case form.
  std::size_t i = 0;
  std::size_t j = 0;
  bool a_pending = false;  // '_' of an upper-case letter was already compared
  bool b_pending = false;
  const auto next = [](std::string_view text, std::size_t& at, bool& pending) -> char {
    const char c = text[at];
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !pending && at > 0) {
      pending = true;
      return '_';
    }
    pending = false;
    ++at;
    return ToLower(c);
  };
  while (i < a.size() && j < b.size())
    if (next(a, i, a_pending) != next(b, j, b_pending)) return false;
  return i == a.size() && j == b.size();
}

namespace {
// Takes one step of a path: `name`, `[3]` or `["key"]`. False at the end or when the path is malformed.
struct Step {
  std::string_view name = {};
  std::size_t index = 0;
  bool by_index = false;
  bool exact = false;
};

bool TakeStep(std::string_view& path, Step& step) noexcept {
  if (path.starts_with('.')) path.remove_prefix(1);
  if (path.empty()) return false;
  if (path.starts_with('[')) {
    const bool quoted = path.size() > 1 && path[1] == '"';
    const std::size_t close = quoted ? path.find("\"]", 2) : path.find(']');
    if (close == std::string_view::npos) return false;
    if (quoted) {
      step = {.name = path.substr(2, close - 2), .exact = true};
      path.remove_prefix(close + 2);
      return true;
    }
    const auto index = ParseUint(path.substr(1, close - 1));
    if (!index) return false;
    step = {.index = static_cast<std::size_t>(*index), .by_index = true};
    path.remove_prefix(close + 1);
    return true;
  }
  const std::size_t end = std::min(path.find_first_of(".["), path.size());
  step = {.name = path.substr(0, end)};
  path.remove_prefix(end);
  return true;
}

const Entry* FindEntry(const Node& node, const Step& step) noexcept {
  for (const Entry& entry : node.entries)
    if (entry.key == step.name || (!step.exact && SameFieldName(entry.key, step.name))) return &entry;
  return nullptr;
}

// What is shown of a long value; never half a character.
std::string Shortened(const std::string& text) {
  constexpr std::size_t kShown = 57;
  if (text.size() <= kShown + 3) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}
}  // namespace

const Node& Locate(const Node& root, std::string_view path) noexcept {
  const Node* node = &root;
  for (Step step; TakeStep(path, step);) {
    if (step.by_index) {
      if (step.index >= node->items.size()) break;
      node = &node->items[step.index];
    } else if (const Entry* entry = FindEntry(*node, step)) {
      node = &entry->value;
    } else {
      break;
    }
  }
  return *node;
}

Mark MarkAt(const Node& root, std::string_view path) noexcept { return Locate(root, path).at; }

std::string Describe(const Node& node) {
  if (node.is_sequence()) return "a list";
  if (node.is_mapping()) return "a mapping";
  const std::string shown = Shortened(node.text);
  switch (TypeOf(node)) {
    case ScalarType::kNull: return "null";
    case ScalarType::kBool: return "the boolean " + shown;
    case ScalarType::kInteger:
    case ScalarType::kFloat: return "the number " + shown;
    case ScalarType::kString: break;
  }
  return "the string \"" + shown + "\"";
}

}  // namespace plait::yaml
