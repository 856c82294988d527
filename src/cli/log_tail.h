#pragma once
// Follows a log file line by line; starts anew when it was rotated.
#include <functional>
#include <string>
#include <string_view>

#include "core/io/unique_fd.h"

namespace plait::cli {

class LogTail {
 public:
  explicit LogTail(std::string path) : path_(std::move(path)) {}
  bool Open();  // false: there is no such file
  // Gives what is new to `line`, with line ends; the last line without one waits for the rest unless `all`. False when
  // `line` said so.
  bool Read(bool all, const std::function<bool(std::string_view)>& line);
  void ReopenIfRotated();
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  std::string begun_;  // a line, as far as it has come
  io::UniqueFd fd_;
};

}  // namespace plait::cli
