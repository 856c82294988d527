#include "core/io/stop_signal.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace plait::io {

StopSignal::StopSignal(Loop& loop, std::move_only_function<void()> on_stop,
                       std::move_only_function<void()> on_successor)
    : loop_(loop), on_stop_(std::move(on_stop)), on_successor_(std::move(on_successor)) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (on_successor_) sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file at its limit is an error of write, as a full disk
  fd_ = UniqueFd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  loop_.Watch(fd_.get(), *this, EPOLLIN);
}

StopSignal::~StopSignal() { loop_.Unwatch(fd_.get(), *this); }

void StopSignal::OnFdReady(std::uint32_t /*events*/) {
  signalfd_siginfo info;
  bool stop = false;
  bool successor = false;
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) (info.ssi_signo == SIGUSR2 ? successor : stop) = true;
  if (successor) on_successor_();
  if (stop) on_stop_();
}

}  // namespace plait::io
