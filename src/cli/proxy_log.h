#pragma once
// `plait log`, which is `plait pc log` too: levels of a proxy's loggers.
#include "cli/verbs.h"

namespace plait::cli {

Command ProxyLogCommand(MeshOptions& mesh);
// Of the text of Envoy's /logging: "active loggers:", then "  name: level" lines. Pure.
Output LoggersOutput(std::string_view page);

}  // namespace plait::cli
