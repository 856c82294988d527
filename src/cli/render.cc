#include "cli/render.h"

#include <stdio.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/strings.h"

namespace plait::cli {
namespace {

bool IsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (!value || !*value) continue;
    const std::string text = ToLower(value);
    return text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
  }
  return false;
}

bool HasColour(int fd) {
  const char* term = std::getenv("TERM");
  return isatty(fd) && !std::getenv("NO_COLOR") && term && std::string_view(term) != "dumb";
}

struct Symbol {
  const char* utf8;
  const char* ascii;
  const char* colour;
};
constexpr Symbol kPassed{"✓", "ok", "32"};
constexpr Symbol kWarning{"!", "!", "33"};
constexpr Symbol kFailed{"✗", "x", "31"};

void Mark(FILE* to, const Symbol& symbol, std::string_view text) {
  static const bool kUtf8 = IsUtf8();
  const char* mark = kUtf8 ? symbol.utf8 : symbol.ascii;
  const bool colour = HasColour(fileno(to));
  fprintf(to, colour ? "  \033[%s%s%s\033[0m %.*s\n" : "  %s%s%s %.*s\n", colour ? symbol.colour : "",
          colour ? "m" : "", mark, static_cast<int>(text.size()), text.data());
}

// Characters, not bytes: names may be in any language.
std::size_t Width(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

bool IsPlainYaml(const std::string& text) {
  if (text.empty() || text.size() > 200 || !(IsAlpha(text[0]) || text[0] == '/')) return false;
  for (const std::string_view word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
    if (EqualsIgnoreCase(text, word)) return false;
  for (const char c : text)
    if (!IsAlpha(c) && !IsDigit(c) && std::string_view("-_./~|@").find(c) == std::string_view::npos) return false;
  return true;
}

std::string Scalar(const Json& value) {
  if (value.is_string() && IsPlainYaml(value.get_ref<const std::string&>())) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);  // a JSON string is a YAML string
}

void WriteYaml(const Json& value, std::size_t indent, std::string& out) {
  const std::string blanks(indent, ' ');
  const auto nested = [&](const Json& child, std::size_t deeper) {
    if (child.is_structured() && !child.empty()) {
      out += "\n";
      WriteYaml(child, deeper, out);
    } else {
      out += " " + Scalar(child) + "\n";
    }
  };
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, child] : value.items()) {
      out += blanks + (IsPlainYaml(key) ? key : Json(key).dump()) + ":";
      nested(child, indent + 2);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const Json& child : value) {
      if (child.is_object() && !child.empty()) {
        std::string entry;
        WriteYaml(child, indent + 2, entry);
        entry.replace(indent, 1, "-");
        out += entry;
      } else {
        out += blanks + "-";
        nested(child, indent + 2);
      }
    }
  } else {
    out += blanks + Scalar(value) + "\n";
  }
}

}  // namespace

std::string TableText(const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& column : table.columns) widths.push_back(Width(column));
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  std::string out;
  const auto write = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - Width(row[i]) + 3, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  };
  write(table.columns);
  for (const auto& row : table.rows) write(row);
  return out;
}

std::string YamlText(const Json& data) {
  std::string out;
  WriteYaml(data, 0, out);
  return out;
}

void Render(Format format, const Table& table, const Json& data) {
  std::string text;
  if (format == Format::kJson) {
    text = data.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  } else {
    text = format == Format::kYaml ? YamlText(data) : TableText(table);
  }
  fwrite(text.data(), 1, text.size(), stdout);
  fflush(stdout);
}

void Step(std::string_view text) { Mark(stderr, kPassed, text); }
void Warn(std::string_view text) { Mark(stderr, kWarning, text); }
void Problem(std::string_view text) { Mark(stderr, kFailed, text); }

void CheckLine(bool passed, std::string_view name, std::string_view detail) {
  constexpr std::size_t kNameWidth = 15;
  std::string line(name);
  line.append(Width(name) < kNameWidth ? kNameWidth - Width(name) : 1, ' ').append(" ").append(detail);
  Mark(stdout, passed ? kPassed : kFailed, line);
  fflush(stdout);
}

void Say(std::string_view text) { fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data()); }

int Report(const Diagnostic& error) {
  Diagnostic plain = error;
  plain.hint.clear();
  Say("plait: " + plain.ToString());
  if (!error.hint.empty()) Say("  try: " + error.hint);
  if (!error.at.file.empty()) return kBadFile;
  if (error.code == Errc::kUnavailable) return kUnreachable;
  return error.code == Errc::kInvalidInput ? kUsage : kNo;
}

}  // namespace plait::cli
