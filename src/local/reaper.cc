#include "local/reaper.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace plait::local {
namespace {
constexpr std::size_t kMaxUnclaimed = 1024;
}

std::string ProcessEnd::ToString() const {
  if (signal == 0) return "exit code " + std::to_string(code);
  return "signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
}

struct Reaper::Watcher final : Pending::Operation {
  Watcher(Reaper& owner, pid_t process, OnEnd call) : reaper(owner), pid(process), on_end(std::move(call)) {}
  ~Watcher() override {
    if (const auto found = reaper.watchers_.find(pid); found != reaper.watchers_.end() && found->second == this)
      reaper.watchers_.erase(found);
  }
  Reaper& reaper;
  pid_t pid;
  OnEnd on_end;
  Pending deferred;
};

Reaper::Reaper(io::Loop& loop) : loop_(loop) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  signals_.Reset(signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC));
  loop_.Watch(signals_.get(), *this, EPOLLIN);
}

Reaper::~Reaper() { loop_.Unwatch(signals_.get(), *this); }

Pending Reaper::Watch(pid_t pid, OnEnd on_end) {
  auto watcher = std::make_unique<Watcher>(*this, pid, std::move(on_end));
  watchers_[pid] = watcher.get();
  // Numbers are used again: what a process has left that nobody asked for is not the end of a later one that lives.
  std::optional<ProcessEnd> last;
  for (const auto& [ended, end] : unclaimed_)
    if (ended == pid) last = end;
  if (!last) return Pending(std::move(watcher));
  std::erase_if(unclaimed_, [pid](const auto& entry) { return entry.first == pid; });
  if (kill(pid, 0) != 0)
    watcher->deferred = loop_.After(Duration::zero(), [this, pid, end = *last] { Tell(pid, end); });
  return Pending(std::move(watcher));
}

bool Reaper::HasChildren() const {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

void Reaper::OnFdReady(std::uint32_t) {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) > 0) {
  }
  Reap();
}

void Reaper::Reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    ProcessEnd end;
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    end.code = end.signal ? 128 + end.signal : WEXITSTATUS(status);
    Tell(pid, end);
  }
}

void Reaper::Tell(pid_t pid, ProcessEnd end) {
  const auto found = watchers_.find(pid);
  if (found == watchers_.end()) {
    unclaimed_.emplace_back(pid, end);
    if (unclaimed_.size() > kMaxUnclaimed) unclaimed_.pop_front();
    return;
  }
  OnEnd call = std::move(found->second->on_end);
  watchers_.erase(found);
  call(end);  // may destroy the watcher
}

}  // namespace plait::local
