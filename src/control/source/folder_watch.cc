#include "control/source/folder_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
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
  std::unordered_map<std::string, int> now;
  std::unordered_map<int, std::string> paths;
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
    paths.emplace(watch, folder);
  }
  for (const auto& [watch, folder] : paths_)
    if (!paths.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
  std::erase_if(written_, [&](const auto& entry) { return !paths.contains(entry.first.first); });
  watches_ = std::move(now);
  paths_ = std::move(paths);
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

void FolderWatch::Hear() {
  if (!inotify_) return;
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
  if ((mask & IN_Q_OVERFLOW) != 0) written_.clear();
  if ((mask & IN_ISDIR) == 0) NoteWriting(watch, mask, name);
  Plan();
}

void FolderWatch::NoteWriting(int watch, std::uint32_t mask, const char* name) {
  if ((mask & IN_MODIFY) != 0 || ((mask & IN_CREATE) != 0 && MayBeNew(watch, name)))
    written_[{watch, name}] = Write::kOpen;
  else if ((mask & IN_CLOSE_WRITE) != 0)
    written_[{watch, name}] = Write::kClosed;
  else if ((mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0)
    written_.erase({watch, name});
}

// A link to what is there is created, too, and nobody closes it.
bool FolderWatch::MayBeNew(int watch, const char* name) const {
  const auto folder = paths_.find(watch);
  struct stat info{};
  return folder != paths_.end() && ::lstat((folder->second + "/" + name).c_str(), &info) == 0 &&
         S_ISREG(info.st_mode) && info.st_nlink == 1;
}

bool FolderWatch::MaybePart(const std::string& path) const {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return false;
  const auto folder = watches_.find(path.substr(0, slash));
  return folder != watches_.end() && written_.contains({folder->second, path.substr(slash + 1)});
}

void FolderWatch::Plan() {
  const MonotonicTime now = loop_.Now();
  if (!quiet_.armed()) first_event_ = now;
  const Duration left = timing_.most - (now - first_event_);
  const bool wait = timing_.all_closed && std::any_of(written_.begin(), written_.end(),
                                                      [](const auto& entry) { return entry.second == Write::kOpen; });
  quiet_.Start(loop_.timers(), wait ? left : std::min(timing_.quiet, left));
}

void FolderWatch::Fire() {
  quiet_.Cancel();
  std::erase_if(written_, [](const auto& entry) { return entry.second == Write::kClosed; });
  if (degraded_ || polling_) poll_.Start(loop_.timers(), timing_.poll);
  on_change_();
}

}  // namespace plait::control::source
