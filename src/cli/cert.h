#pragma once
// plait cert: certificates of the mesh.
#include "cli/verbs.h"

namespace plait::cli {
Command CertCommand(MeshOptions& mesh);
}  // namespace plait::cli
