#pragma once
// Follows a log file line by line, over its rotations: the old file is read to its end before the new one begins.
#include <functional>
#include <string>
#include <string_view>

#include "core/io/unique_fd.h"

namespace plait::cli {

class LogTail {
 public:
  explicit LogTail(std::string path) : path_(std::move(path)) {}
  bool Open();  // false: there is no such file
  // Gives what is new to `line`, with line ends; the last line without one waits for the rest unless `all`, or unless
  // another file has taken the place of its own. A file that does not exist yet is opened once it does. False when
  // `line` said so.
  bool Read(bool all, const std::function<bool(std::string_view)>& line);
  const std::string& path() const noexcept { return path_; }

 private:
  bool ReadToEnd(const std::function<bool(std::string_view)>& line);
  bool IsReplaced() const;

  std::string path_;
  std::string begun_;  // a line, as far as it has come
  io::UniqueFd fd_;
};

}  // namespace plait::cli
