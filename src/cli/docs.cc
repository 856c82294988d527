// plait docs commands|markdown|man: what the tree of commands says of itself.
#include <stdio.h>

#include <filesystem>
#include <fstream>

#include "cli/manual.h"
#include "cli/tree.h"

namespace plait::cli {
namespace {

int Markdown() {
  MeshOptions unused;
  fputs(MarkdownText(Tree(unused)).c_str(), stdout);
  return kDone;
}

// The page of `plait` itself to standard output, or all of them into a folder.
int Man(const std::string& folder) {
  MeshOptions unused;
  const auto pages = ManPages(Tree(unused));
  if (folder.empty()) {
    fputs(pages.front().second.c_str(), stdout);
    return kDone;
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const auto& [name, text] : pages) {
    std::ofstream file(std::filesystem::path(folder) / name, std::ios::binary);
    if (!(file << text).flush())
      return Report(
          {.code = Errc::kDenied, .message = "cannot write " + folder + "/" + name, .hint = "give another folder"});
  }
  return kDone;
}

}  // namespace

Command DocsCommand(MeshOptions& mesh) {
  const auto folder = std::make_shared<std::string>();
  Command docs{.name = "docs", .summary = "the commands themselves: reference and man pages", .of_mesh = false};
  docs.children = {{.name = "commands",
                    .summary = "all commands, with their options",
                    .of_mesh = false,
                    .run =
                        [&mesh] {
                          MeshOptions unused;
                          return Show(mesh.format, CommandsOutput(Tree(unused)));
                        }},
                   {.name = "markdown",
                    .summary = "the command reference, docs/commands.md",
                    .renders = false,
                    .of_mesh = false,
                    .run = Markdown},
                   {.name = "man",
                    .summary = "man pages",
                    .examples = {{"docs man | man -l -", "read the page of plait"},
                                 {"docs man ~/.local/share/man/man1", "install all of them for this user"}},
                    .options = {{.names = "folder",
                                 .value = "DIR",
                                 .help = "write all of them there, a page a command; else that of plait is printed",
                                 .to = folder.get(),
                                 .offers = Offers::kFolders}},
                    .renders = false,
                    .of_mesh = false,
                    .run = [folder] { return Man(*folder); }}};
  return docs;
}

}  // namespace plait::cli
