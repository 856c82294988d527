// plait, and kubectl-plait: the command line. `plait @supervisor FD` is pid 1 of a mesh and `plait @dial-helper ...`
// its way out, both started by `plait up`; `plait @pause` keeps the place of a command that `plait run` brings.
#include <unistd.h>

#include <new>
#include <string_view>

#include "cli/verbs.h"
#include "core/base/out_of_memory.h"
#include "core/base/strings.h"
#include "local/dial_helper.h"
#include "local/supervisor.h"

namespace {
int Number(const char* text) { return static_cast<int>(plait::ParseUint(text).value_or(0)); }
}  // namespace

int main(int argc, char** argv) {
  std::set_new_handler(&plait::EndWithoutMemory);
  if (argc == 3 && std::string_view(argv[1]) == "@supervisor") return plait::local::SupervisorMain(Number(argv[2]));
  if (argc == 5 && std::string_view(argv[1]) == "@dial-helper")
    return plait::local::DialHelperMain(Number(argv[2]), Number(argv[3]),
                                        plait::Port{static_cast<std::uint16_t>(Number(argv[4]))});
  if (argc == 2 && std::string_view(argv[1]) == "@pause") return pause();
  return plait::cli::Run(argc, argv);
}
