#pragma once
// What the tree of commands says of itself: help, the command reference (docs/commands.md), man pages, and the tree as
// data. Pure.
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"

namespace plait::cli {

// "PORT (8080)": what help shows for an option's value.
std::string ValueText(const Option& option);
// Behind the options of a command's help: details, examples, exit codes.
std::string HelpFooter(const Command& command);
// docs/commands.md.
std::string MarkdownText(const Command& tree);
// ("plait-pc-cluster.1", troff): a page a command, and one for `plait` itself.
std::vector<std::pair<std::string, std::string>> ManPages(const Command& tree);
// Every command that can be run, with its options, as data; a row a command.
Output CommandsOutput(const Command& tree);
// What `plaitd --configuration-reference json` says, of one kind (by any case) or of all.
Output ConfigurationOutput(const Json& reference, const std::string& kind);

}  // namespace plait::cli
