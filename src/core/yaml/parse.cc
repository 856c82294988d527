#include "core/yaml/parse.h"

#include <yaml.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/base/strings.h"
#include "core/base/utf8.h"
#include "core/yaml/syntax_advice.h"

namespace plait::yaml {
namespace {

// The position of a byte offset; O(offset), for errors only.
Mark MarkOfOffset(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_start = before.rfind('\n');
  return {line + 1,
          static_cast<std::uint32_t>(offset - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1)};
}

// The offset of a character in UTF-8 by its number, which is what libyaml counts. O(index), for errors only.
std::size_t OffsetOf(std::string_view text, std::size_t index) {
  std::size_t offset = 0;
  for (; index > 0 && offset < text.size(); --index) offset += Utf8Length(text.substr(offset));
  return std::min(offset, text.size());
}

// Takes the first line off, without its end.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end + (text.substr(end).starts_with("\r\n") ? 2 : 1)));
  return line;
}

// Windows editors put U+FEFF before a text to say that it is UTF-8; it belongs to no line of it.
std::string_view WithoutMark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

// Windows editors' "Unicode": by its mark, or since YAML begins with an ASCII character.
bool IsUtf16(std::string_view text) {
  if (text.size() < 2) return false;
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || (text[0] == '\0') != (text[1] == '\0');
}

// How much an alias adds when it is used.
struct Extent {
  std::size_t nodes = 1;
  std::size_t height = 0;  // levels below
};

Extent Measure(const Node& node) {
  Extent extent;
  const auto add = [&extent](const Extent& child) {
    extent.nodes += child.nodes;
    extent.height = std::max(extent.height, child.height + 1);
  };
  for (const Node& item : node.items) add(Measure(item));
  for (const Entry& entry : node.entries) add(Measure(entry.value));
  return extent;
}

class Reader {
 public:
  // `line`: where `text` begins in the file. `spent`: nodes that count already. `indent`: columns of the file before
  // each line.
  Reader(std::string_view text, const std::string& file, const Limits& limits, std::uint32_t line = 1,
         std::size_t spent = 0, std::uint32_t indent = 0)
      : text_(text), file_(file), limits_(limits), line_(line), indent_(indent), spent_(spent) {
    initialized_ = yaml_parser_initialize(&parser_) == 1;
    if (!initialized_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    const char* data = text.data() ? text.data() : "";
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(data), text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    ReleaseEvent();
    if (initialized_) yaml_parser_delete(&parser_);
  }

  Outcome<std::vector<Node>> Read();
  std::size_t spent() const noexcept { return spent_; }

 private:
  Mark MarkOf(const yaml_mark_t& mark) const {
    return {static_cast<std::uint32_t>(mark.line) + line_, static_cast<std::uint32_t>(mark.column + 1) + indent_};
  }
  Mark MarkOfByte(std::size_t offset) const {
    const Mark mark = MarkOfOffset(text_, offset);
    return {mark.line + line_ - 1, mark.column + indent_};
  }
  bool Next();  // false: error_ is set
  bool ReadNode(Node& out, std::size_t depth);
  bool ReadScalar(Node& out);
  std::uint16_t IndentOfBlock(std::string_view content);
  bool ReadSequence(Node& out, std::size_t depth);
  bool ReadMapping(Node& out, std::size_t depth);
  bool ReadKey(std::string& key, Mark& at);
  bool ReadAlias(Node& out, std::size_t depth);
  bool Merge(Node& out, std::vector<Node>& merged);
  bool CheckText();
  bool CheckTag(const char* tag, bool scalar, Node& out);
  bool Anchor(const unsigned char* anchor, const Node& node);
  bool Spend(std::size_t nodes, Mark at);
  bool ParserFailed();
  bool Fail(Mark at, std::string message, std::string hint = {}) {
    error_ = Diagnostic{.message = std::move(message), .at = At(file_, at), .hint = std::move(hint)};
    return false;
  }
  bool FailDepth(Mark at) {
    return Fail(at, "nested deeper than " + std::to_string(limits_.depth) + " levels", "close the brackets before it");
  }
  void ReleaseEvent() {
    if (has_event_) yaml_event_delete(&event_);
    has_event_ = false;
  }
  Mark start() const { return MarkOf(event_.start_mark); }

  std::string_view text_;
  const std::string& file_;
  const Limits& limits_;
  const std::uint32_t line_;
  const std::uint32_t indent_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool initialized_ = false;
  bool has_event_ = false;
  std::size_t spent_;
  struct Anchored {
    Node node;
    Extent extent;
  };
  std::unordered_map<std::string, Anchored> anchors_;  // of the current document
  std::size_t block_index_ = 0;                        // of the last literal block, in characters
  std::size_t block_offset_ = 0;                       // and in bytes
  Diagnostic error_;
};

bool Reader::CheckText() {
  if (text_.size() > limits_.bytes)
    return Fail({},
                "the file has " + std::to_string(text_.size()) + " bytes, more than " + std::to_string(limits_.bytes),
                "split it into several files");
  if (line_ == 1 && IsUtf16(text_)) return Fail(MarkOfByte(0), "the text is UTF-16", "save the file as UTF-8");
  for (std::size_t i = 0; i < text_.size();) {
    if (text_[i] == '\0')
      return Fail(MarkOfByte(i), "a NUL byte; this is not a text file",
                  "save it as UTF-8, or give it a name that does not end in .yaml, .yml or .json");
    const std::size_t length = Utf8Length(text_.substr(i));
    if (length == 0) return Fail(MarkOfByte(i), "a byte that is not UTF-8", "save the file as UTF-8");
    i += length;
  }
  return true;
}

bool Reader::ParserFailed() {
  if (parser_.error == YAML_READER_ERROR)
    return Fail(MarkOfByte(std::min(parser_.problem_offset, text_.size())), "a character that YAML does not allow",
                "remove it, or write it as an escape (\"\\u0007\") in double quotes");
  if (parser_.error == YAML_MEMORY_ERROR) return Fail({}, "out of memory while reading YAML");
  const Mark at = MarkOf(parser_.problem_mark);
  const std::string problem = parser_.problem ? parser_.problem : "not valid YAML";
  const std::string context = parser_.context ? parser_.context : "";
  const std::size_t index = OffsetOf(text_, parser_.problem_mark.index);
  const std::size_t line_start = text_.substr(0, index).rfind('\n') + 1;
  const std::string_view line = text_.substr(line_start, text_.find('\n', line_start) - line_start);
  // Within brackets, so in JSON, tabs may stand before anything but the next line of an unquoted text.
  const bool in_brackets = parser_.flow_level > 0 || context.find("flow") != std::string::npos;
  const bool tab = line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
  if (tab && (!in_brackets || problem.find("tab") != std::string::npos))
    return Fail(at, "a tab in the indentation", "indent with spaces");
  std::string advice = in_brackets && Trim(line).starts_with(':')
                           ? "write the colon in the line of its key"
                           : SyntaxAdvice(parser_.problem ? parser_.problem : "", context,
                                          parser_.context ? MarkOf(parser_.context_mark) : Mark{});
  return Fail(at, problem + (context.empty() ? "" : " (" + context + ")"), std::move(advice));
}

bool Reader::Next() {
  ReleaseEvent();
  if (yaml_parser_parse(&parser_, &event_) != 1) return ParserFailed();
  has_event_ = true;
  return true;
}

bool Reader::Spend(std::size_t nodes, Mark at) {
  spent_ += nodes;
  if (spent_ <= limits_.nodes) return true;
  return Fail(at, "the document has more than " + std::to_string(limits_.nodes) + " values",
              "aliases count as often as they are used");
}

// Only YAML's own tags; anything else asks for a meaning that we do not have.
bool Reader::CheckTag(const char* tag, bool scalar, Node& out) {
  if (!tag || std::string_view(tag) == "!") {
    if (tag && scalar) out.text_only = true;
    return true;
  }
  const std::string_view name(tag);
  constexpr std::string_view kPrefix = "tag:yaml.org,2002:";
  if (name.starts_with(kPrefix)) {
    const std::string_view kind = name.substr(kPrefix.size());
    if (scalar && kind == "str") {
      out.text_only = true;
      return true;
    }
    if (scalar && (kind == "int" || kind == "float" || kind == "bool" || kind == "null")) {
      out.text_only = false;
      return true;
    }
    if (!scalar && (kind == "map" || kind == "seq")) return true;
  }
  return Fail(out.at, "the tag " + std::string(name) + " is not supported", "write the plain value");
}

bool Reader::Anchor(const unsigned char* anchor, const Node& node) {
  if (!anchor) return true;
  const Extent extent = Measure(node);
  if (!Spend(extent.nodes, node.at)) return false;  // the copy that is kept
  anchors_[reinterpret_cast<const char*>(anchor)] = {node, extent};
  return true;
}

bool Reader::ReadAlias(Node& out, std::size_t depth) {
  const std::string name = reinterpret_cast<const char*>(event_.data.alias.anchor);
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) {
    return Fail(start(), "the alias *" + name + " has no anchor before it",
                "write &" + name + " before the value that it repeats, or put the text in quotes");
  }
  if (!Spend(found->second.extent.nodes, start())) return false;
  if (depth + found->second.extent.height > limits_.depth) return FailDepth(start());
  out = found->second.node;
  return true;
}

// By the first line that is not empty. 0: there is none, or something stands before the bar (an anchor, a tag).
std::uint16_t Reader::IndentOfBlock(std::string_view content) {
  const std::size_t index = event_.start_mark.index;
  block_offset_ += OffsetOf(text_.substr(block_offset_), index - block_index_);
  block_index_ = index;
  std::string_view source = text_.substr(block_offset_);
  if (!source.starts_with('|')) return 0;
  std::string_view line;
  for (TakeLine(source); line.empty() && !content.empty();) {
    line = TakeLine(content);
    const std::string_view written = TakeLine(source);
    if (!line.empty() && written.ends_with(line)) {
      const std::size_t indent = written.size() - line.size();
      return indent <= UINT16_MAX ? static_cast<std::uint16_t>(indent) : 0;
    }
  }
  return 0;
}

bool Reader::ReadScalar(Node& out) {
  const auto& scalar = event_.data.scalar;
  out.kind = Node::Kind::kScalar;
  out.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
  out.text_only = scalar.style != YAML_PLAIN_SCALAR_STYLE;
  if (scalar.style == YAML_LITERAL_SCALAR_STYLE) out.indent = IndentOfBlock(out.text);
  if (!CheckTag(reinterpret_cast<const char*>(scalar.tag), true, out)) return false;
  return Anchor(scalar.anchor, out);
}

bool Reader::ReadNode(Node& out, std::size_t depth) {
  out.at = start();
  if (!Spend(1, out.at)) return false;
  if (depth > limits_.depth) return FailDepth(out.at);
  switch (event_.type) {
    case YAML_SCALAR_EVENT: return ReadScalar(out);
    case YAML_SEQUENCE_START_EVENT: return ReadSequence(out, depth);
    case YAML_MAPPING_START_EVENT: return ReadMapping(out, depth);
    case YAML_ALIAS_EVENT: return ReadAlias(out, depth);
    default: return Fail(out.at, "a value was expected here", "write one");
  }
}

bool Reader::ReadSequence(Node& out, std::size_t depth) {
  out.kind = Node::Kind::kSequence;
  if (!CheckTag(reinterpret_cast<const char*>(event_.data.sequence_start.tag), false, out)) return false;
  const unsigned char* raw = event_.data.sequence_start.anchor;
  const std::string anchor = raw ? reinterpret_cast<const char*>(raw) : "";
  for (;;) {
    if (!Next()) return false;
    if (event_.type == YAML_SEQUENCE_END_EVENT) break;
    Node item;
    if (!ReadNode(item, depth + 1)) return false;
    out.items.push_back(std::move(item));
  }
  return anchor.empty() || Anchor(reinterpret_cast<const unsigned char*>(anchor.c_str()), out);
}

bool Reader::ReadKey(std::string& key, Mark& at) {
  at = start();
  if (event_.type == YAML_ALIAS_EVENT) {
    Node named;
    if (!ReadAlias(named, 1)) return false;
    if (!named.is_scalar()) return Fail(at, "a key must be text", "let the alias name a text");
    key = named.text;
    return true;
  }
  if (event_.type != YAML_SCALAR_EVENT) {
    return Fail(at, "a key must be text, not a list or mapping",
                "write it as \"key: value\"; put text that begins with [ or { in quotes");
  }
  Node scalar;
  scalar.at = at;
  if (!ReadScalar(scalar)) return false;
  key = std::move(scalar.text);
  return true;
}

bool Reader::ReadMapping(Node& out, std::size_t depth) {
  out.kind = Node::Kind::kMapping;
  if (!CheckTag(reinterpret_cast<const char*>(event_.data.mapping_start.tag), false, out)) return false;
  const unsigned char* raw = event_.data.mapping_start.anchor;
  const std::string anchor = raw ? reinterpret_cast<const char*>(raw) : "";
  std::unordered_map<std::string, Mark> seen;
  std::vector<Node> merged;
  for (;;) {
    if (!Next()) return false;
    if (event_.type == YAML_MAPPING_END_EVENT) break;
    Entry entry;
    const bool merge = event_.type == YAML_SCALAR_EVENT && event_.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!ReadKey(entry.key, entry.at)) return false;
    const auto [first, added] = seen.emplace(entry.key, entry.at);
    if (!added)
      return Fail(entry.at,
                  "the key \"" + entry.key + "\" stands twice; first in line " + std::to_string(first->second.line),
                  "keep one of them");
    if (!Next() || !ReadNode(entry.value, depth + 1)) return false;
    if (merge && entry.key == "<<") {
      merged.push_back(std::move(entry.value));
      continue;
    }
    out.entries.push_back(std::move(entry));
  }
  if (!merged.empty() && !Merge(out, merged)) return false;
  return anchor.empty() || Anchor(reinterpret_cast<const unsigned char*>(anchor.c_str()), out);
}

// "<<: *a" or "<<: [*a, *b]": keys written out win, then the earlier mapping.
bool Reader::Merge(Node& out, std::vector<Node>& merged) {
  std::vector<Node> sources;
  for (Node& value : merged) {
    if (value.is_sequence()) {
      for (Node& item : value.items) sources.push_back(std::move(item));
    } else {
      sources.push_back(std::move(value));
    }
  }
  std::unordered_set<std::string> present;
  for (const Entry& entry : out.entries) present.insert(entry.key);
  for (Node& source : sources) {
    if (!source.is_mapping()) {
      return Fail(source.at, "\"<<\" takes a mapping or a list of mappings, not " + Describe(source),
                  "name the anchor of a mapping, as in \"<<: *name\"");
    }
    for (Entry& entry : source.entries)
      if (present.insert(entry.key).second) out.entries.push_back(std::move(entry));
  }
  return true;
}

Outcome<std::vector<Node>> Reader::Read() {
  std::vector<Node> documents;
  if (!initialized_) return Explain(Errc::kInternal, "out of memory while reading YAML");
  if (!CheckText()) return std::unexpected(std::move(error_));
  for (;;) {
    if (!Next()) return std::unexpected(std::move(error_));
    if (event_.type == YAML_STREAM_END_EVENT) return documents;
    if (event_.type != YAML_DOCUMENT_START_EVENT) continue;
    anchors_.clear();
    Node root;
    if (!Next() || !ReadNode(root, 1)) return std::unexpected(std::move(error_));
    if (!root.is_null()) documents.push_back(std::move(root));
  }
}

// Whether a line is "---" with anything behind it; that ends a document wherever it stands, also within quotes.
bool BeginsDocument(std::string_view line) {
  return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t');
}

// Whether a line may be passed over: it is blank, a comment or a directive, which belongs to the document behind it.
bool SaysNothing(std::string_view line) {
  const std::string_view content = Trim(line);
  return content.empty() || content.starts_with('#') || line.starts_with('%');
}

// The text in parts that each hold at least one document, without reading them.
std::vector<Part> Split(std::string_view text) {
  std::vector<Part> parts;
  std::size_t from = 0;
  std::uint32_t from_line = 1;
  std::uint32_t line = 1;
  bool empty = true;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    std::string_view content = text.substr(at, end - at);
    const bool begins = BeginsDocument(content);
    if (begins && !empty) {
      parts.push_back({.text = text.substr(from, at - from), .line = from_line, .documents = {}});
      from = at;
      from_line = line;
      empty = true;
    }
    if (begins) content.remove_prefix(3);
    empty = empty && SaysNothing(content);
    at = end + (text.substr(end).starts_with("\r\n") ? 2 : 1);
  }
  if (!empty) parts.push_back({.text = text.substr(from), .line = from_line, .documents = {}});
  return parts;
}
}  // namespace

Outcome<std::vector<Node>> ParseAll(std::string_view text, const std::string& file, const Limits& limits) {
  Reader reader(WithoutMark(text), file, limits);
  return reader.Read();
}

Outcome<std::vector<Node>> ParseText(const Node& scalar, const std::string& file, const Limits& limits) {
  if (!scalar.HasPlaces()) return ParseAll(scalar.text, file, limits);
  Reader reader(scalar.text, file, limits, scalar.at.line + 1, 0, scalar.indent);
  return reader.Read();
}

std::vector<Part> ParseEach(std::string_view text, const std::string& file, const Limits& limits) {
  text = WithoutMark(text);
  std::vector<Part> whole;
  whole.push_back({.text = text, .line = 1, .documents = ParseAll(text, file, limits)});
  if (whole.front().documents || text.size() > limits.bytes) return whole;
  std::vector<Part> parts = Split(text);
  std::size_t spent = 0;
  bool broken = false;
  for (Part& part : parts) {
    Reader reader(part.text, file, limits, part.line, spent);
    part.documents = reader.Read();
    spent = reader.spent();
    broken |= !part.documents;
  }
  if (!broken) return whole;
  return parts;
}

Outcome<Node> ParseOne(std::string_view text, const std::string& file, const Limits& limits) {
  auto all = ParseAll(text, file, limits);
  if (!all) return std::unexpected(std::move(all.error()));
  if (all->size() == 1) return std::move(all->front());
  return std::unexpected(
      Diagnostic{.message = "one YAML document was expected, there are " + std::to_string(all->size()),
                 .at = {.file = file},
                 .hint = all->empty() ? "write one" : "keep one of them"});
}

}  // namespace plait::yaml
