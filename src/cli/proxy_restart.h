#pragma once
// plait proxy: processes of proxies.
#include "cli/verbs.h"

namespace plait::cli {
Command ProxyCommand(MeshOptions& mesh);
}  // namespace plait::cli
