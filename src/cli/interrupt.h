#pragma once
// Ctrl-C, SIGTERM and SIGHUP as something to ask for, so that a verb can tidy up before it ends. One a process, on the
// thread that waits; made before other threads are, which inherit the blocked signals.
#include "core/io/unique_fd.h"

namespace plait::cli {

class Interrupt {
 public:
  Interrupt();
  bool came() const;  // stays true until it is forgotten
  void Forget();      // for what is done because of it, and may be interrupted in its turn
  // Waits until `fd` is readable (-1: nothing but time), a signal comes or `milliseconds` are over (-1: no limit).
  // True when `fd` is readable.
  bool WaitFor(int fd, int milliseconds) const;

 private:
  io::UniqueFd signals_;  // read by Forget alone
};

}  // namespace plait::cli
