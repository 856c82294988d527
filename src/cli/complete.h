#pragma once
// Completion of a command line by the tree of commands and the names of the running mesh. The shells' scripts
// (`plait completion SHELL`) ask `plait @complete -- WORDS`.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace plait::cli {

inline constexpr std::string_view kCompleteWord = "@complete";

struct Candidate {
  std::string word;
  std::string help = {};
  friend bool operator==(const Candidate&, const Candidate&) = default;
};
struct Completions {
  std::vector<Candidate> candidates = {};
  Offers paths = Offers::kNothing;  // kFiles, kFolders: the shell completes them itself
};

// Names of the running mesh, its proxies and this program; asked only when the word wants them. `workload`: the one
// that stands on the line already.
using LiveNames =
    std::function<std::vector<Candidate>(Offers what, const std::string& mesh, const std::string& workload)>;

// `words`: behind the program's name; the last one is being typed and may be empty. Pure but for `names`.
Completions Complete(const Command& tree, const std::vector<std::string>& words, const LiveNames& names);

// `plait @complete [--] WORDS`: a candidate a line, with its help behind a tab; ":files" or ":folders" for paths.
int CompleteLine(std::vector<std::string> words);

}  // namespace plait::cli
