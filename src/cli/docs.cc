// plait docs commands|configuration|markdown|man: what the tree of commands says of itself, and plaitd of the kinds of
// objects that it reads.
#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "cli/manual.h"
#include "cli/program.h"
#include "cli/tree.h"

namespace plait::cli {
namespace {

int Markdown(const std::string& page) {
  MeshOptions unused;
  if (page != "configuration") {
    fputs(MarkdownText(Tree(unused)).c_str(), stdout);
    return kDone;
  }
  const Outcome<std::string> text = OutputOfProgram("plaitd", {"--configuration-reference", "markdown"});
  if (!text) return Report(text.error());
  fputs(text->c_str(), stdout);
  return kDone;
}

// Of all kinds, or of one.
int Configuration(const MeshOptions& mesh, const std::string& kind) {
  const Outcome<std::string> text = OutputOfProgram("plaitd", {"--configuration-reference", "json"});
  if (!text) return Report(text.error());
  const Json reference = Json::parse(*text, nullptr, false);
  std::string known;
  for (const Json& one : At(reference, "kinds")) known += (known.empty() ? "" : ", ") + Text(one, {"kind"});
  const Output output = ConfigurationOutput(reference, kind);
  if (!output.table.rows.empty() || kind.empty()) return Show(mesh.format, output);
  return Report({.code = Errc::kNotFound,
                 .message = "nothing is read of a kind \"" + kind + "\"",
                 .hint = "plait docs configuration, without it, tells of all of them: " + known});
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
      return Report({.code = Errc::kDenied,
                     .message = std::string("cannot write ").append(folder).append("/").append(name),
                     .hint = "give another folder"});
  }
  return kDone;
}

}  // namespace

Command DocsCommand(MeshOptions& mesh) {
  const auto folder = std::make_shared<std::string>();
  const auto kind = std::make_shared<std::string>();
  const auto page = std::make_shared<std::string>();
  Command docs{.name = "docs", .summary = "what there is: commands, configuration, man pages", .of_mesh = false};
  docs.children = {
      {.name = "commands",
       .summary = "all commands, with their options",
       .of_mesh = false,
       .run =
           [&mesh] {
             MeshOptions unused;
             return Show(mesh.format, CommandsOutput(Tree(unused)));
           }},
      {.name = "configuration",
       .summary = "what is honoured of each kind of object, field by field",
       .details = "Asks the program that reads them, so it is true for this version. A field is honoured, ignored "
                  "with a warning, refused, or accepted without effect.",
       .examples = {{"docs configuration DestinationRule", "of one kind"},
                    {"docs configuration -o json", "of all, for a script that looks at your YAML"}},
       .options =
           {{.names = "kind", .value = "KIND", .help = "only of this one", .to = kind.get(), .offers = Offers::kKinds}},
       .of_mesh = false,
       .run = [&mesh, kind] { return Configuration(mesh, *kind); }},
      {.name = "markdown",
       .summary = "a page of the documentation: docs/commands.md, docs/configuration.md",
       .options = {{.names = "page",
                    .value = "PAGE",
                    .help = "commands or configuration",
                    .to = page.get(),
                    .choices = {"commands", "configuration"},
                    .standard = "commands"}},
       .renders = false,
       .of_mesh = false,
       .run = [page] { return Markdown(*page); }},
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
