#pragma once
// The tree of commands as data: which there are, which words they take, what they say of themselves. Parser (app.cc),
// help, command reference, man pages (manual.h) and completion (complete.h) all read this one tree, so none of them
// can know a command that another does not. A verb's file makes its own Command; tree.cc puts them together.
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/render.h"

namespace plait::cli {

// What may stand for a value, for completion; most names come from the running mesh.
enum class Offers {
  kNothing,
  kWorkloads,
  kContainers,
  kMeshes,
  kDestinations,
  kFiles,
  kFolders,
  kClusters,      // of the workload's proxy, as are the next four
  kServiceHosts,  // of its clusters
  kRouteConfigs,
  kSecrets,
  kLogLevels,  // and its loggers
  kResponseFlags,
  kKinds,  // of objects that plaitd reads
};

struct Option {
  std::string names;  // "-f,--follow"; without a dash it is a positional
  std::string value;  // "WORKLOAD", as help shows it; empty: a flag
  std::string help;
  // Where the parser puts it; outlives the tree.
  std::variant<bool*, int*, std::string*, std::vector<std::string>*, Format*> to;
  bool required = false;
  Offers offers = Offers::kNothing;
  bool listed = false;                     // takes several, with commas between
  std::vector<std::string> choices = {};   // the words it may be, if only those; the first few are shown
  std::string standard = {};               // what holds when it is not given, if that is worth telling
  std::pair<int, int> range = {0, 65535};  // of a number
  bool hidden = false;                     // for Plait's own use

  bool positional() const { return !names.starts_with('-'); }
  bool flag() const { return value.empty(); }
  std::string Long() const;  // "--follow"; the name of a positional
};

struct Command {
  std::string name;
  std::vector<std::string> aliases = {};
  std::string summary;                                             // a line, lower case, without a full stop
  std::string details = {};                                        // paragraphs
  std::vector<std::pair<std::string, std::string>> examples = {};  // command line without "plait", what it does
  std::vector<Option> options = {};
  std::vector<std::string>* rest = nullptr;  // takes the words behind "--", at least one
  bool renders = true;                       // takes -o; else it streams, or its output is text by nature
  bool of_mesh = true;                       // takes --mesh
  std::function<int()> run = {};             // empty: a group
  std::vector<Command> children = {};

  // By name or alias; null: none.
  const Command* Find(const std::string& word) const;
  bool Has(const std::string& long_name) const;  // an option of its own
};

// Exit codes, which never change.
struct ExitCode {
  int code;
  const char* meaning;
};
inline constexpr ExitCode kExitCodes[] = {
    {kDone, "done"},
    {kNo, "the answer is no: a check failed, a workload is not there, a request would be refused"},
    {kUsage, "wrong usage"},
    {kUnreachable, "there is no mesh or control plane to talk to"},
    {kBadFile, "a bad input file"},
    {kInterrupted, "interrupted"},
};

}  // namespace plait::cli
