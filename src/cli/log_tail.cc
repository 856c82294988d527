#include "cli/log_tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace plait::cli {

bool LogTail::Open() {
  fd_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  return static_cast<bool>(fd_);
}

bool LogTail::Read(bool all, const std::function<bool(std::string_view)>& line) {
  char piece[64 * 1024];
  for (ssize_t n; (n = read(fd_.get(), piece, sizeof piece)) > 0;) {
    std::string_view text(piece, static_cast<std::size_t>(n));
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      begun_ += text.substr(0, end == std::string_view::npos ? end : end + 1);
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
      if (!line(std::exchange(begun_, {}))) return false;
    }
  }
  return !all || begun_.empty() || line(std::exchange(begun_, {}));
}

void LogTail::ReopenIfRotated() {
  std::error_code error;
  const auto size = std::filesystem::file_size(path_, error);
  if (!error && static_cast<off_t>(size) < lseek(fd_.get(), 0, SEEK_CUR)) Open();
}

}  // namespace plait::cli
