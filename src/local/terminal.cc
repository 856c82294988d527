#include "local/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/io/socket.h"
#include "core/io/unique_fd.h"

namespace plait::local {
namespace {
std::unexpected<Diagnostic> Failed(const char* step) {
  return Explain(Errc::kLimit, std::string("cannot ") + step + ": " + strerror(errno));
}
}  // namespace

Outcome<> OpenTerminal(const TerminalPlan& plan) {
  const io::UniqueFd master(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int zero = 0;
  if (!master || ioctl(master.get(), TIOCSPTLCK, &zero) != 0) return Failed("open a terminal");
  const winsize size{plan.rows, plan.columns, 0, 0};
  ioctl(master.get(), TIOCSWINSZ, &size);
  const int slave = ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0 || !io::SendFds(plan.socket, "terminal", {master.get()})) return Failed("pass the terminal");
  for (int fd = 0; fd < 3; ++fd)
    if (dup2(slave, fd) < 0) return Failed("use the terminal");
  close(slave);
  return {};
}

}  // namespace plait::local
