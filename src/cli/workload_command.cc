#include "cli/workload_command.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace plait::cli {
namespace {

std::string WholeFile(int fd) {
  std::string text;
  char piece[16 * 1024];
  for (ssize_t n; (n = pread(fd, piece, sizeof piece, static_cast<off_t>(text.size()))) > 0;)
    text.append(piece, static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Outcome<WorkloadCommand> WorkloadCommand::Start(local::ControlClient client, const std::string& workload,
                                                const std::vector<std::string>& argv) {
  const io::UniqueFd in(open("/dev/null", O_RDONLY | O_CLOEXEC));
  io::UniqueFd out(memfd_create("stdout", MFD_CLOEXEC));
  io::UniqueFd err(memfd_create("stderr", MFD_CLOEXEC));
  if (!in || !out || !err) return Explain(Errc::kLimit, "cannot make files in memory", "raise ulimit -n");
  if (Outcome<> started = client.StartExec(workload, "", argv, {in.get(), out.get(), err.get()}); !started)
    return std::unexpected(started.error());
  return WorkloadCommand(std::move(client), std::move(out), std::move(err));
}

Outcome<CommandEnd> WorkloadCommand::Wait(const Interrupt& interrupt) {
  if (!interrupt.WaitFor(client_.fd(), -1)) return Explain(Errc::kCancelled, "interrupted");
  const Outcome<int> code = client_.AwaitExit();
  if (!code) return std::unexpected(code.error());
  return CommandEnd{*code, WholeFile(out_.get()), WholeFile(err_.get())};
}

}  // namespace plait::cli
