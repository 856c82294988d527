#pragma once
// What a process writes, kept in a file: the process gets a pipe, the supervisor copies and rotates at line ends.
// A process never gets the file itself: it could reopen it through /proc/self/fd and rewrite it. A full disk loses log
// lines, not the mesh: how much is missing, the log says where it goes on. One loop thread.
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/io/loop.h"
#include "core/io/unique_fd.h"

namespace plait::local {

// Of the logs that cannot be written now, by path.
struct LogLoss {
  std::size_t bytes = 0;
  int error = 0;  // an errno
};
using LogLosses = std::map<std::string, LogLoss>;
// For a person; there is one at least.
std::string TextOf(const LogLosses& losses);

class LogFile final : private io::FdEvents {
 public:
  static constexpr std::size_t kRotateAt = 10 * 1024 * 1024;  // then it becomes <path>.1, and the older one goes
  static constexpr std::size_t kMostARound = 1024 * 1024;     // bytes; also the most that an unprivileged pipe holds

  // Makes the folders of `path`, opens it for appending. `losses` outlives it. Errors: the file cannot be made.
  static Outcome<std::unique_ptr<LogFile>> Open(io::Loop& loop, LogLosses& losses, std::string path);
  ~LogFile() override;
  int writing_end() const noexcept { return write_end_.get(); }  // for children; stays open over their restarts
  void Append(std::string_view text);
  // Takes what is in the pipe now (before the end, so that nothing is lost), but no more than kMostARound: a process
  // that writes as fast as this copies must not hold up the loop. The rest comes in the next rounds.
  void Drain();

 private:
  LogFile(io::Loop& loop, LogLosses& losses, std::string path);
  void OnFdReady(std::uint32_t events) override;
  bool Reopen();
  void Rotate();
  std::size_t Write(std::string_view text);  // how much of it is written; errno: why no more
  void Lose(std::size_t bytes, int error);
  void TellLoss();  // in the log, if it can be written again; else later

  io::Loop& loop_;
  LogLosses& losses_;
  std::string path_;
  io::UniqueFd file_;
  io::UniqueFd read_end_;
  io::UniqueFd write_end_;
  std::size_t size_ = 0;
  bool in_line_ = false;  // what was written last has no end of line
  io::Timer retry_;       // armed as long as it cannot be written
};

}  // namespace plait::local
