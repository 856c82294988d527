#include "core/yaml/print.h"

#include <charconv>
#include <cmath>

#include "core/base/strings.h"
#include "core/yaml/scalar.h"

namespace plait::yaml {
namespace {

void AppendEscape(unsigned code, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(code >> shift) & 15];
}

// Characters beyond ASCII that YAML does not allow, or takes for the end of a line: U+0080..9F, U+2028, U+2029, U+FEFF,
// U+FFFE, U+FFFF. The code of the one at the front of `text`, 0 when there is another; `length`: its bytes.
unsigned UnprintableCode(std::string_view text, std::size_t& length) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  length = byte(0) == 0xC2 ? 2 : 3;
  if (byte(0) == 0xC2 && byte(1) < 0xA0) return byte(1);
  if (byte(0) == 0xE2 && byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9)) return 0x2000 + (byte(2) & 0x3FU);
  if (byte(0) == 0xEF && byte(1) == 0xBB && byte(2) == 0xBF) return 0xFEFF;
  if (byte(0) == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 0xFFC0 + (byte(2) & 0x3FU);
  return 0;
}

void AppendQuoted(std::string_view text, std::string& out) {
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    std::size_t length = 0;
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20 || byte == 0x7F) {
          AppendEscape(byte, out);
        } else if (const unsigned code = byte < 0x80 ? 0 : UnprintableCode(text.substr(i), length)) {
          AppendEscape(code, out);
          i += length - 1;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// Whether the text is a number as JSON spells it: -?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?
bool IsJsonNumber(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t first = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return i > first;
  };
  if (text.starts_with('-')) ++i;
  const std::size_t whole = i;
  if (!digits() || (text[whole] == '0' && i - whole > 1)) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

// The shortest decimal that reads back as the same number.
void AppendNumber(double value, std::string& out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  out.append(text, end.ptr);
}

// As JSON.
void AppendScalar(const Node& node, std::string& out) {
  switch (TypeOf(node)) {
    case ScalarType::kNull: out += "null"; return;
    case ScalarType::kBool: out += *AsBool(node) ? "true" : "false"; return;
    case ScalarType::kInteger: {
      if (IsJsonNumber(node.text)) break;
      const Integer value = AsInteger(node).value_or(Integer{});
      if (value.negative) out += '-';
      out += std::to_string(value.magnitude);
      return;
    }
    case ScalarType::kFloat: {
      if (IsJsonNumber(node.text)) break;
      // JSON has no infinities; protobuf's JSON spells them as strings.
      const double value = AsDouble(node).value_or(0);
      if (std::isnan(value))
        out += "\"NaN\"";
      else if (std::isinf(value))
        out += value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
      else
        AppendNumber(value, out);
      return;
    }
    case ScalarType::kString: AppendQuoted(node.text, out); return;
  }
  out += node.text;
}

struct JsonStyle {
  bool pretty = false;
  void Break(std::string& out, std::size_t depth) const {
    if (!pretty) return;
    out += '\n';
    out.append(depth, ' ');
  }
};

void AppendJson(const Node& node, const JsonStyle& style, std::size_t depth, std::string& out) {
  if (node.is_scalar()) return AppendScalar(node, out);
  const bool list = node.is_sequence();
  const std::size_t count = list ? node.items.size() : node.entries.size();
  out += list ? '[' : '{';
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    style.Break(out, depth + 1);
    if (!list) {
      AppendQuoted(node.entries[i].key, out);
      out += style.pretty ? ": " : ":";
    }
    AppendJson(list ? node.items[i] : node.entries[i].value, style, depth + 1, out);
  }
  if (count > 0) style.Break(out, depth);
  out += list ? ']' : '}';
}

// Plain only when every reader sees the same text: conservative characters, and not a word that YAML resolves.
bool IsPlainSafe(std::string_view text) {
  if (text.empty() || text == "<<" || text == "=") return false;
  if (!IsAlpha(text[0]) && text[0] != '/' && text[0] != '_') return false;
  for (char c : text)
    if (!IsAlpha(c) && !IsDigit(c) && c != '-' && c != '_' && c != '.' && c != '/' && c != '|') return false;
  return TypeOf(Node::Plain(std::string(text))) == ScalarType::kString;
}

void AppendYamlText(std::string_view text, std::string& out) {
  if (IsPlainSafe(text))
    out += text;
  else
    AppendQuoted(text, out);
}

void AppendYaml(const Node& node, std::size_t indent, bool first_on_line, std::string& out) {
  if (node.is_scalar()) {
    if (node.is_string())
      AppendYamlText(node.text, out);
    else if (TypeOf(node) == ScalarType::kFloat)
      out += node.text;  // JSON has no spelling for some of them
    else
      AppendScalar(node, out);
    out += '\n';
    return;
  }
  if (node.items.empty() && node.entries.empty()) {
    out += node.is_sequence() ? "[]\n" : "{}\n";
    return;
  }
  const auto start_line = [&](bool first) {
    if (!(first && first_on_line)) out.append(indent, ' ');
  };
  bool first = true;
  for (const Node& item : node.items) {
    start_line(std::exchange(first, false));
    out += "- ";
    AppendYaml(item, indent + 2, true, out);
  }
  for (const Entry& entry : node.entries) {
    start_line(std::exchange(first, false));
    AppendYamlText(entry.key, out);
    out += ':';
    const bool nested = !entry.value.items.empty() || !entry.value.entries.empty();
    out += nested ? '\n' : ' ';
    // Lists stand at the indentation of their key, as kubectl prints them.
    AppendYaml(entry.value, entry.value.is_sequence() ? indent : indent + 2, false, out);
  }
}
}  // namespace

std::string JsonQuote(std::string_view text) {
  std::string out;
  AppendQuoted(text, out);
  return out;
}

std::string ToJson(const Node& node) {
  std::string out;
  AppendJson(node, {}, 0, out);
  return out;
}

std::string ToPrettyJson(const Node& node) {
  std::string out;
  AppendJson(node, {.pretty = true}, 0, out);
  out += '\n';
  return out;
}

std::string ToYaml(const Node& node) {
  std::string out;
  AppendYaml(node, 0, true, out);
  return out;
}

}  // namespace plait::yaml
