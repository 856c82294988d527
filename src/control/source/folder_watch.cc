#include "control/source/folder_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

namespace plait::control::source {
namespace {
constexpr std::uint32_t kMask = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |
                                IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
}

FolderWatch::FolderWatch(io::Loop& loop, WatchTiming timing, std::move_only_function<void()> on_change)
    : loop_(loop),
      timing_(timing),
      on_change_(std::move(on_change)),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      quiet_([this] { Fire(); }),
      poll_([this] { Fire(); }) {
  if (inotify_)
    loop_.Watch(inotify_.get(), *this, EPOLLIN);
  else
    degraded_ = true;
}

FolderWatch::~FolderWatch() {
  if (inotify_) loop_.Unwatch(inotify_.get(), *this);
}

bool FolderWatch::Watch(const std::vector<std::string>& folders) {
  bool added = false;
  degraded_ = !inotify_;
  std::map<std::string, int> now;
  for (const std::string& folder : folders) {
    // For a folder that is watched already this gives the same number; for a new one of the same name another.
    const int watch = inotify_ ? ::inotify_add_watch(inotify_.get(), folder.c_str(), kMask) : -1;
    if (watch < 0) {
      degraded_ = true;
      continue;
    }
    const auto before = watches_.find(folder);
    added |= before == watches_.end() || before->second != watch;
    now[folder] = watch;
  }
  for (const auto& [folder, watch] : watches_) {
    const bool used = std::any_of(now.begin(), now.end(), [&](const auto& entry) { return entry.second == watch; });
    if (!used) ::inotify_rm_watch(inotify_.get(), watch);
  }
  watches_ = std::move(now);
  if (degraded_ || polling_) poll_.Start(loop_.timers(), timing_.poll);
  return added;
}

void FolderWatch::Poll(bool on) {
  polling_ = on;
  if (on || degraded_)
    poll_.Start(loop_.timers(), timing_.poll);
  else
    poll_.Cancel();
}

void FolderWatch::OnFdReady(std::uint32_t /*events*/) {
  alignas(inotify_event) char buffer[16 * 1024];
  for (;;) {
    const ssize_t n = ::read(inotify_.get(), buffer, sizeof buffer);
    if (n <= 0) return;
    for (ssize_t at = 0; at < n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      OnEvent(event->wd, event->mask, event->len > 0 ? event->name : "");
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

void FolderWatch::OnEvent(int watch, std::uint32_t mask, const char* name) {
  if ((mask & IN_IGNORED) != 0) return;
  if ((mask & IN_Q_OVERFLOW) != 0) being_written_.clear();
  if ((mask & IN_MODIFY) != 0) being_written_.insert({watch, name});
  if ((mask & (IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0) being_written_.erase({watch, name});
  Plan();
}

void FolderWatch::Plan() {
  const MonotonicTime now = loop_.Now();
  if (!quiet_.armed()) first_event_ = now;
  const Duration left = timing_.most - (now - first_event_);
  // A file that is open for writing is waited for, within the limit.
  quiet_.Start(loop_.timers(), being_written_.empty() ? std::min(timing_.quiet, left) : left);
}

void FolderWatch::Fire() {
  quiet_.Cancel();
  being_written_.clear();
  if (degraded_ || polling_) poll_.Start(loop_.timers(), timing_.poll);
  on_change_();
}

}  // namespace plait::control::source
