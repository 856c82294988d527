#pragma once
// One result of a command, every output format: for people (`table`, `short`, `wide`), as data (`json`, `yaml`), and as
// names to go on with (`name`).
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace plait::cli {

using Json = nlohmann::ordered_json;

enum class Format { kTable, kWide, kShort, kJson, kYaml, kName };  // kShort: the table, as in istioctl
std::span<const std::string> FormatNames();                        // in the order of Format
std::optional<Format> FormatOf(std::string_view name);
inline bool IsData(Format format) { return format == Format::kJson || format == Format::kYaml; }
// To people, who may be told more than the result.
inline bool IsTold(Format format) { return !IsData(format) && format != Format::kName; }

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::size_t wide_columns = 0;  // so many of the last ones are shown by `-o wide` only
};

// What a command found, whole: each format is made of it.
struct Output {
  Table table = {};
  std::string text = {};                   // instead of the table where a table does not say it well
  std::vector<std::string> names = {};     // of `-o name`; empty: the table's first column
  std::shared_ptr<const Json> data = {};   // of `-o json` and `-o yaml`
  std::vector<std::string> warnings = {};  // told beside it, in every format
  int code = 0;                            // the command's exit code, the same in every format
};
std::shared_ptr<const Json> Data(Json data);
// What goes to standard output.
std::string OutputText(Format format, const Output& output);
// Prints it, and the warnings; returns the exit code.
int Show(Format format, const Output& output);
// The exit code of a command that ended with `code`: not 0 when a part of its output is lost, which it tells then.
int WithOutput(int code);
void NoteOutputError(int error);  // an errno of standard output; the first one counts

std::string TableText(const Table& table,
                      bool wide = false);  // columns aligned by the widest cell, three blanks between
std::string YamlText(const Json& data);

// ✓, ! or ✗, in ASCII where the terminal has no UTF-8, in colour where standard output has (NO_COLOR is honoured).
enum class Mark { kPassed, kWarning, kFailed };
std::string MarkText(Mark mark);

// Talk to the person, on standard error. Symbols and colour only where the terminal has them (NO_COLOR is honoured).
void Step(std::string_view text);     // ✓
void Warn(std::string_view text);     // !
void Problem(std::string_view text);  // ✗
void Say(std::string_view text);
// A line of a report, to standard output: mark, name in a column, detail.
void CheckLine(bool passed, std::string_view name, std::string_view detail);
// The error with its hint; returns the exit code that belongs to it.
int Report(const Diagnostic& error);

inline constexpr int kDone = 0;
inline constexpr int kNo = 1;
inline constexpr int kUsage = 2;
inline constexpr int kUnreachable = 3;
inline constexpr int kBadFile = 4;
inline constexpr int kInterrupted = 130;

}  // namespace plait::cli
