#include "cli/render.h"

#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/base/readable.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

int output_error = 0;  // the first one of standard output

void Flush() {
  if (fflush(stdout) != 0 || ferror(stdout) != 0) NoteOutputError(errno);
}

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
constexpr Symbol kSymbols[] = {{"✓", "ok", "32"}, {"!", "!", "33"}, {"✗", "x", "31"}};  // by Mark

std::string SymbolText(Mark mark, int fd) {
  static const bool kUtf8 = IsUtf8();
  const Symbol& symbol = kSymbols[static_cast<std::size_t>(mark)];
  const std::string text = kUtf8 ? symbol.utf8 : symbol.ascii;
  return HasColour(fd) ? std::string("\033[") + symbol.colour + "m" + text + "\033[0m" : text;
}

void WriteMarked(FILE* to, Mark mark, std::string_view text) {
  fprintf(to, "  %s %.*s\n", SymbolText(mark, fileno(to)).c_str(), static_cast<int>(text.size()), text.data());
}

const std::string kFormatNames[] = {"table", "wide", "short", "json", "yaml", "name"};

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

// Characters that JSON has as they are and YAML only escaped (YAML 1.1 5.1; its line breaks too): 0x7f, U+0080 to
// U+009F, U+2028 and U+2029, U+FEFF, U+FFFE and U+FFFF. How many bytes of `text` the one at its beginning has; 0: none.
std::size_t EscapedInYaml(std::string_view text) {
  if (text[0] == '\x7f') return 1;
  if (text.size() > 1 && text[0] == '\xc2' && text[1] < '\xa0') return 2;
  for (const std::string_view each : {"\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf"})
    if (text.starts_with(each)) return each.size();
  return 0;
}

// A JSON string is a YAML string but for the characters above.
std::string YamlString(const Json& value) {
  const std::string json = JsonText(value);
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const std::string_view rest = std::string_view(json).substr(i);
    const std::size_t size = EscapedInYaml(rest);
    if (size == 0) {
      out += json[i++];
      continue;
    }
    out += Json(rest.substr(0, size)).dump(-1, ' ', /*ensure_ascii=*/true).substr(1, 6);  // of "\u2028" what is quoted
    i += size;
  }
  return out;
}

std::string Scalar(const Json& value) {
  if (!value.is_string()) return JsonText(value);
  const auto& text = value.get_ref<const std::string&>();
  return IsPlainYaml(text) ? text : YamlString(value);
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
      out += blanks + Scalar(key) + ":";
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

std::span<const std::string> FormatNames() { return kFormatNames; }

std::optional<Format> FormatOf(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kFormatNames); ++i)
    if (kFormatNames[i] == name) return static_cast<Format>(i);
  return std::nullopt;
}

std::string TableText(const Table& table, bool wide) {
  const std::size_t columns = table.columns.size() - (wide ? 0 : table.wide_columns);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns; ++i) widths.push_back(Width(table.columns[i]));
  std::vector<std::vector<std::string>> rows;  // names in them may be anybody's
  for (const auto& row : table.rows) {
    std::vector<std::string>& cells = rows.emplace_back();
    for (std::size_t i = 0; i < row.size() && i < columns; ++i) {
      AppendReadable(cells.emplace_back(), row[i], LineBreaks::kEscaped);
      widths[i] = std::max(widths[i], Width(cells[i]));
    }
  }
  std::string out;
  const auto write = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size() && i < columns; ++i) {
      line += row[i];
      if (i + 1 < columns) line += std::string(widths[i] - Width(row[i]) + 3, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  };
  write(table.columns);
  for (const auto& row : rows) write(row);
  return out;
}

std::string YamlText(const Json& data) {
  std::string out;
  WriteYaml(data, 0, out);
  return out;
}

std::shared_ptr<const Json> Data(Json data) { return std::make_shared<const Json>(std::move(data)); }

std::string OutputText(Format format, const Output& output) {
  switch (format) {
    case Format::kJson: return JsonText(*output.data, 2) + "\n";
    case Format::kYaml: return YamlText(*output.data);
    case Format::kName: {
      std::string text;
      const auto write = [&text](std::string_view name) {
        AppendReadable(text, name, LineBreaks::kEscaped);
        text += '\n';
      };
      for (const std::string& name : output.names) write(name);
      if (output.names.empty())
        for (const auto& row : output.table.rows) write(row.front());
      return text;
    }
    case Format::kTable:
    case Format::kShort:
    case Format::kWide: break;
  }
  return output.text.empty() ? TableText(output.table, format == Format::kWide) : output.text;
}

void NoteOutputError(int error) {
  if (output_error == 0) output_error = error == 0 ? EIO : error;
}

int WithOutput(int code) {
  Flush();
  // Who reads a pipe may stop when it has seen enough.
  if (output_error == 0 || output_error == EPIPE) return code;
  Say(std::string("plait: cannot write the output: ") + std::strerror(output_error));
  Say("  try: look whether the disk is full");
  return code == 0 ? kNo : code;
}

int Show(Format format, const Output& output) {
  const std::string text = OutputText(format, output);
  if (fwrite(text.data(), 1, text.size(), stdout) < text.size()) NoteOutputError(errno);
  Flush();
  for (const std::string& warning : output.warnings) Warn(warning);
  return output.code;
}

std::string MarkText(Mark mark) { return SymbolText(mark, STDOUT_FILENO); }

void Step(std::string_view text) { WriteMarked(stderr, Mark::kPassed, text); }
void Warn(std::string_view text) { WriteMarked(stderr, Mark::kWarning, text); }
void Problem(std::string_view text) { WriteMarked(stderr, Mark::kFailed, text); }

void CheckLine(bool passed, std::string_view name, std::string_view detail) {
  constexpr std::size_t kNameWidth = 15;
  std::string line(name);
  line.append(Width(name) < kNameWidth ? kNameWidth - Width(name) : 1, ' ').append(" ").append(detail);
  WriteMarked(stdout, passed ? Mark::kPassed : Mark::kFailed, line);
  Flush();
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
