#pragma once
// All commands of `plait`, put together from the files of the verbs.
#include "cli/command.h"
#include "cli/verbs.h"

namespace plait::cli {

// `mesh` takes what the common options say (--mesh, -o); it outlives the tree.
Command Tree(MeshOptions& mesh);

}  // namespace plait::cli
