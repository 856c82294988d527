#include "core/yaml/syntax_advice.h"

namespace plait::yaml {
namespace {
struct Advice {
  std::string_view words;   // in the problem, or in the context
  std::string_view advice;  // "@": where the context begins
};

// The first that fits; the particular stand before the general.
constexpr Advice kAdvice[] = {
    {"',' or ']'", "close the [ opened at @, or put a comma between its elements"},
    {"',' or '}'", "close the { opened at @, or put a comma between its fields"},
    {"found a tab", "indent with spaces"},
    {"unknown escape character", "write \\\\ for a backslash, or put the text in single quotes"},
    {"hexdecimal number", "\\x takes 2, \\u 4 and \\U 8 hexadecimal digits"},
    {"invalid Unicode",
     "\\u and \\U take the number of a character; write one beyond U+FFFF itself, not as a pair like \\ud83d\\ude00"},
    {"scanning a quoted scalar", "close the quote opened at @"},
    {"mapping values are not allowed",
     "put the text in quotes if the colon belongs to it; otherwise indent the line like its neighbours"},
    {"expected key", "indent it like the mapping that begins at @, or put the whole value before it in quotes"},
    {"'-' indicator", "begin it with \"- \" like the list that begins at @, or indent it so that it is no part of it"},
    {"could not find expected ':'", "write \": \" and a value after the key at @"},
    {"block sequence entries", "begin the list on a line of its own"},
    {"scanning a tag", "put the value in quotes: ! begins a tag"},
    {"parsing a flow node", "write the value that is missing, or close the bracket before it"},
    {"expected node content", "write a value, or remove the bracket that nothing opened"},
    {"cannot start any token", "put the value in quotes: YAML reserves the character with which it begins"},
    {"alphabetic or numeric", "put the value in quotes: & and * begin anchors and aliases"},
    {"document start", "indent all fields of an object alike, and put --- between objects"},
    {"directive", "put the text in quotes: % begins a directive"},
    {"scanning a block scalar",
     "after | or > only +, - or a digit from 1 to 9 may stand; the text begins in the next line"},
};
constexpr std::string_view kAny =
    "look at the indentation, the quotes and the brackets of this line and the one before";
}  // namespace

std::string SyntaxAdvice(std::string_view problem, std::string_view context, Mark begin) {
  for (const Advice& one : kAdvice) {
    if (problem.find(one.words) == std::string_view::npos && context.find(one.words) == std::string_view::npos)
      continue;
    const auto place = one.advice.find('@');
    if (place == std::string_view::npos) return std::string(one.advice);
    if (begin.line == 0) break;
    return std::string(one.advice.substr(0, place)) + std::to_string(begin.line) + ":" + std::to_string(begin.column) +
           std::string(one.advice.substr(place + 1));
  }
  return std::string(kAny);
}
}  // namespace plait::yaml
