// plait, and kubectl-plait: the command line. `plait @supervisor FD` is pid 1 of a mesh, started by `plait up` only.
#include <string_view>

#include "cli/verbs.h"
#include "core/base/strings.h"
#include "local/supervisor.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "@supervisor")
    return plait::local::SupervisorMain(static_cast<int>(plait::ParseUint(argv[2]).value_or(3)));
  return plait::cli::Run(argc, argv);
}
