#include "cli/shell_word.h"

#include <algorithm>

#include "core/base/strings.h"

namespace plait::cli {

std::string ShellWord(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlpha(c) || IsDigit(c) || std::string_view("-._~/:,+=@%").find(c) != std::string_view::npos;
  });
  if (plain && !text.starts_with('~')) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

}  // namespace plait::cli
