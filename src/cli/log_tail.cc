#include "cli/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace plait::cli {

bool LogTail::Open() {
  fd_.Reset(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  return static_cast<bool>(fd_);
}

bool LogTail::ReadToEnd(const std::function<bool(std::string_view)>& line) {
  // Emptied in place: it begins anew.
  struct stat mine{};
  if (fstat(fd_.get(), &mine) == 0 && mine.st_size < lseek(fd_.get(), 0, SEEK_CUR)) lseek(fd_.get(), 0, SEEK_SET);
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
  return true;
}

// Whether the path leads to another file now. While it leads nowhere, the old one may still be written.
bool LogTail::IsReplaced() const {
  struct stat mine{};
  struct stat there{};
  return fstat(fd_.get(), &mine) == 0 && stat(path_.c_str(), &there) == 0 &&
         (mine.st_dev != there.st_dev || mine.st_ino != there.st_ino);
}

bool LogTail::Read(bool all, const std::function<bool(std::string_view)>& line) {
  if (!fd_ && !Open()) return true;
  // A writer leaves a file before it makes the next: what is replaced is complete.
  for (bool replaced = true; replaced;) {
    replaced = IsReplaced();
    if (!ReadToEnd(line)) return false;
    if (!replaced) break;
    if (!begun_.empty() && !line(std::exchange(begun_, {}) + '\n')) return false;
    if (!Open()) return true;
  }
  return !all || begun_.empty() || line(std::exchange(begun_, {}));
}

}  // namespace plait::cli
