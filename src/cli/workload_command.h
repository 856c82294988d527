#pragma once
// A command in a workload whose output is kept, for verbs that judge what it says. Nothing is shown.
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "local/control_client.h"

namespace plait::cli {

struct CommandEnd {
  int code = 0;
  std::string out;
  std::string err;
};

class WorkloadCommand {
 public:
  // In the first container. Errors: no such workload, it does not run.
  static Outcome<WorkloadCommand> Start(local::ControlClient client, const std::string& workload,
                                        const std::vector<std::string>& argv);
  // Until it ends. Errors: kCancelled when a signal came; the command ends with this object.
  Outcome<CommandEnd> Wait(const Interrupt& interrupt);

 private:
  WorkloadCommand(local::ControlClient client, io::UniqueFd out, io::UniqueFd err)
      : client_(std::move(client)), out_(std::move(out)), err_(std::move(err)) {}

  local::ControlClient client_;
  io::UniqueFd out_;  // files in memory
  io::UniqueFd err_;
};

}  // namespace plait::cli
