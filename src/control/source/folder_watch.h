#pragma once
// Tells, a moment after the last change, that something below some folders changed (inotify). Where the kernel gives no
// watch it looks every second. Lives on one loop.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/io/loop.h"
#include "core/io/timer.h"
#include "core/io/unique_fd.h"

namespace plait::control::source {

struct WatchTiming {
  Duration quiet = std::chrono::milliseconds(20);  // after the last event
  Duration most = std::chrono::milliseconds(200);  // after the first one, however busy it is
  Duration poll = std::chrono::seconds(1);
  bool all_closed = true;  // within `most`, also until no file is open for writing
};

class FolderWatch final : private io::FdEvents {
 public:
  FolderWatch(io::Loop& loop, WatchTiming timing, std::move_only_function<void()> on_change);
  ~FolderWatch() override;

  // Watches exactly these folders, at a system call for each; true when one is new (its files may have changed before
  // it was watched).
  bool Watch(const std::vector<std::string>& folders);
  // Also look every second, e.g. while a directory is missing.
  void Poll(bool on);
  bool degraded() const noexcept { return degraded_; }

  // Hears what the kernel has to tell by now.
  void Hear();
  // Whether a file, told by its folder as it was given and its name, may have been written to since the last call of
  // `on_change` began, or is not closed since it was: what was read of it may be a part. By what was heard.
  bool MaybePart(const std::string& path) const;

 private:
  enum class Write : std::uint8_t { kOpen, kClosed };

  void OnFdReady(std::uint32_t /*events*/) override { Hear(); }
  void OnEvent(int watch, std::uint32_t mask, const char* name);
  void NoteWriting(int watch, std::uint32_t mask, const char* name);
  bool MayBeNew(int watch, const char* name) const;
  void Plan();
  void Fire();

  io::Loop& loop_;
  WatchTiming timing_;
  std::move_only_function<void()> on_change_;
  io::UniqueFd inotify_;
  std::unordered_map<std::string, int> watches_;
  std::unordered_map<int, std::string> paths_;            // by watch: a folder that it watches, by one of its names
  std::map<std::pair<int, std::string>, Write> written_;  // by watch and name
  bool degraded_ = false;
  bool polling_ = false;
  MonotonicTime first_event_{};
  io::Timer quiet_;
  io::Timer poll_;
};

}  // namespace plait::control::source
