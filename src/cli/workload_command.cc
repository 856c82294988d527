#include "cli/workload_command.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/memory_file.h"

namespace plait::cli {

Outcome<WorkloadCommand> WorkloadCommand::Start(local::ControlClient client, const std::string& workload,
                                                const std::vector<std::string>& argv) {
  const io::UniqueFd in(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Outcome<io::UniqueFd> out = MakeMemoryFile("stdout");
  Outcome<io::UniqueFd> err = MakeMemoryFile("stderr");
  for (const auto* file : {&out, &err})
    if (!*file) return std::unexpected(file->error());
  if (!in) return Explain(Errc::kLimit, "cannot open /dev/null", "raise ulimit -n");
  if (Outcome<> started = client.StartExec(workload, "", argv, {in.get(), out->get(), err->get()}); !started)
    return std::unexpected(started.error());
  return WorkloadCommand(std::move(client), *std::move(out), *std::move(err));
}

Outcome<CommandEnd> WorkloadCommand::Wait(const Interrupt& interrupt) {
  if (!interrupt.WaitFor(client_.fd(), -1)) return Explain(Errc::kCancelled, "interrupted");
  const Outcome<int> code = client_.AwaitExit();
  if (!code) return std::unexpected(code.error());
  return CommandEnd{*code, WholeFile(out_.get()), WholeFile(err_.get())};
}

}  // namespace plait::cli
