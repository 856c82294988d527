#pragma once
// One result, every output format: a table for people (`table`, `short`), and the same as data (`json`, `yaml`).
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace plait::cli {

using Json = nlohmann::ordered_json;

enum class Format { kTable, kShort, kJson, kYaml };  // short: the table (as in istioctl)

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// To standard output.
void Render(Format format, const Table& table, const Json& data);
std::string TableText(const Table& table);  // columns aligned by the widest cell, three blanks between
std::string YamlText(const Json& data);

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
