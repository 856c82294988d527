#include "local/successor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/time.h"

namespace plait::local {

Successor::Successor(io::Loop& loop, io::UniqueFd ready, Events events)
    : loop_(loop), ready_(std::move(ready)), events_(std::move(events)) {
  loop_.Watch(ready_.get(), *this, EPOLLIN);
}

void Successor::Forget() {
  if (ready_) loop_.Unwatch(ready_.get(), *this);
  ready_.Reset();
  end_.Cancel();
  overdue_.Cancel();
}

Outcome<std::unique_ptr<Successor>> Successor::Start(io::Loop& loop, Reaper& reaper, Duration patience,
                                                     const std::function<Outcome<pid_t>(int ready)>& spawn,
                                                     Events events) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return Explain(Errc::kLimit, std::string("cannot make a pipe: ") + strerror(errno), "raise ulimit -n");
  const io::UniqueFd theirs(ends[1]);
  std::unique_ptr<Successor> made(new Successor(loop, io::UniqueFd(ends[0]), std::move(events)));
  const Outcome<pid_t> pid = spawn(theirs.get());
  if (!pid) return std::unexpected(pid.error());
  made->pid_ = *pid;
  made->end_ = reaper.Watch(*pid, [self = made.get()](ProcessEnd end) {
    self->Forget();
    self->events_.on_ended("ended with " + end.ToString());
  });
  made->overdue_.SetCallback([self = made.get(), patience] {
    self->Forget();
    self->events_.on_overdue("has not become ready within " + FormatDuration(patience));
  });
  made->overdue_.Start(loop.timers(), patience);
  return made;
}

void Successor::OnFdReady(std::uint32_t) {
  char byte = 0;
  if (read(ready_.get(), &byte, 1) == 1) {
    Forget();
    return events_.on_ready();
  }
  // Without a word it has ended, which the reaper tells.
  loop_.Unwatch(ready_.get(), *this);
  ready_.Reset();
}

}  // namespace plait::local
