#pragma once
// `plait log`, which is `plait pc log` too: levels of a proxy's loggers.
#include "cli/verbs.h"

namespace plait::cli {

Command ProxyLogCommand(MeshOptions& mesh);
// What is wrong with the value of --level: "debug" is for all loggers, "control:debug,http2:trace" for those. Errors:
// kInvalidInput, with the loggers and levels that there are. Pure.
Outcome<> CheckLevels(std::string_view spec, const std::vector<std::string>& loggers);
// Of the text of Envoy's /logging: "active loggers:", then "  name: level" lines. Pure.
Output LoggersOutput(std::string_view page);

}  // namespace plait::cli
