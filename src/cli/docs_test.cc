// The pages of the documentation name only commands and options that there are.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/tree.h"
#include "core/base/strings.h"
#include "testing/source_dir.h"

namespace plait::cli {
namespace {

std::vector<std::filesystem::path> Pages() {
  const std::filesystem::path root(plait::testing::SourceDir());
  std::vector<std::filesystem::path> pages = {root / "README.md", root / "samples/bookinfo/README.md"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "docs"))
    // What performance.md writes like a command is the name of what was measured: `plait meshlike`.
    if (entry.path().extension() == ".md" && entry.path().stem() != "performance") pages.push_back(entry.path());
  return pages;
}

// "plait ..." as a person would type it: between backticks, or a line of a code block (there, columns apart by blanks).
std::vector<std::string> CommandLines(const std::string& page) {
  std::vector<std::string> out;
  bool block = false;
  for (const std::string_view line : Split(page, '\n')) {
    if (line.starts_with("```")) {
      block = !block;
      continue;
    }
    std::string text(line);
    for (std::size_t at; block && (at = text.find("  ")) != std::string::npos;) text.replace(at, 2, "`");
    if (block) text = "`" + text;
    for (std::string_view part : Split(text, '`')) {
      part = Trim(part);
      if (part.starts_with("$ ")) part.remove_prefix(2);
      if (part.starts_with("plait ")) out.emplace_back(part.substr(6));
    }
  }
  return out;
}

bool HasOption(const Command& command, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  for (const Option& option : command.options)
    for (const std::string_view known : Split(option.names, ','))
      if (known == name) return true;
  return name == "--help";
}

// "" when the tree has it, else what it does not have.
std::string Unknown(const Command& tree, const std::string& line) {
  const Command* command = &tree;
  for (std::string_view word : Split(line, ' ')) {
    if (word == "--" || word == "#" || word == "|" || word == "COMMAND") return "";  // what follows is not ours
    while (!word.empty() && std::string_view("[],;:.").find(word.front()) != std::string_view::npos)
      word.remove_prefix(1);
    while (!word.empty() && std::string_view("[],;:.").find(word.back()) != std::string_view::npos)
      word.remove_suffix(1);
    if (word.starts_with('-')) {
      if (!HasOption(*command, word)) return std::string(word);
      continue;
    }
    if (command->children.empty() || word.empty()) continue;
    const Command* child = command->Find(std::string(word));
    if (child == nullptr && !command->run) return std::string(word);
    if (child != nullptr) command = child;
  }
  return "";
}

TEST(Documentation, NamesOnlyCommandsAndOptionsThatThereAre) {
  MeshOptions mesh;
  const Command tree = Tree(mesh);
  std::size_t lines = 0;
  for (const std::filesystem::path& page : Pages()) {
    std::ostringstream text;
    text << std::ifstream(page).rdbuf();
    for (const std::string& line : CommandLines(text.str())) {
      ++lines;
      const std::string unknown = Unknown(tree, line);
      EXPECT_EQ(unknown, "") << page.filename().string() << ": plait " << line;
    }
  }
  EXPECT_GT(lines, 150U) << "the pages were not found";
}

TEST(Documentation, OfACommandThatDoesNotExistWouldBeNoticed) {
  MeshOptions mesh;
  const Command tree = Tree(mesh);
  EXPECT_EQ(Unknown(tree, "analyze -f DIR"), "analyze");
  EXPECT_EQ(Unknown(tree, "pc weather WORKLOAD"), "weather");
  EXPECT_EQ(Unknown(tree, "logs WORKLOAD --denide"), "--denide");
  EXPECT_EQ(Unknown(tree, "pc route WORKLOAD --mesh shop"), "");
  EXPECT_EQ(Unknown(tree, "exec W -- curl --silent"), "") << "these are the command's own";
  EXPECT_EQ(CommandLines("`plait up DIR`, then\n```\n$ plait ps\nplait a  plait b\n```\n"),
            (std::vector<std::string>{"up DIR", "ps", "a", "b"}));
}

}  // namespace
}  // namespace plait::cli
