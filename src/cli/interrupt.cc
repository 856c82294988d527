#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace plait::cli {

Interrupt::Interrupt() {
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  signals_.Reset(signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC));
}

bool Interrupt::came() const {
  pollfd signals{signals_.get(), POLLIN, 0};
  return poll(&signals, 1, 0) > 0;
}

void Interrupt::Forget() {
  signalfd_siginfo one;
  while (read(signals_.get(), &one, sizeof one) > 0) {
  }
}

bool Interrupt::WaitFor(int fd, int milliseconds) const {
  pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {fd, POLLIN, 0}};
  while (poll(fds, 2, milliseconds) < 0 && errno == EINTR) {
  }
  return fds[1].revents != 0;
}

}  // namespace plait::cli
