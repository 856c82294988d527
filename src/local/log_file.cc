#include "local/log_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "local/paths.h"

namespace plait::local {

Outcome<std::unique_ptr<LogFile>> LogFile::Open(io::Loop& loop, std::string path) {
  if (Outcome<> made = MakeFolders(path.substr(0, path.rfind('/'))); !made) return std::unexpected(made.error());
  std::unique_ptr<LogFile> log(new LogFile(loop, std::move(path)));
  int ends[2];
  if (!log->Reopen() || pipe2(ends, O_CLOEXEC) != 0)
    return Explain(Errc::kDenied, "cannot write the log " + log->path_ + ": " + strerror(errno));
  log->read_end_.Reset(ends[0]);
  log->write_end_.Reset(ends[1]);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // the writing end blocks: an application that writes faster than the disk waits
  loop.Watch(ends[0], *log, EPOLLIN | EPOLLET);
  return log;
}

LogFile::~LogFile() {
  if (read_end_) loop_.Unwatch(read_end_.get(), *this);
}

bool LogFile::Reopen() {
  file_.Reset(open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  struct stat info{};
  if (!file_ || fstat(file_.get(), &info) != 0) return false;
  size_ = static_cast<std::size_t>(info.st_size);
  return true;
}

void LogFile::Rotate() {
  rename(path_.c_str(), (path_ + ".1").c_str());
  Reopen();
}

void LogFile::Append(std::string_view text) {
  std::string_view rest;
  if (size_ + text.size() > kRotateAt) {
    const std::size_t end = text.rfind('\n');
    if (end != std::string_view::npos) {
      rest = text.substr(end + 1);
      text = text.substr(0, end + 1);
    }
  }
  // A full disk loses log lines, not the mesh.
  if (file_ && write(file_.get(), text.data(), text.size()) > 0) size_ += text.size();
  if (size_ < kRotateAt || text.empty() || text.back() != '\n') return;
  Rotate();
  if (!rest.empty()) Append(rest);
}

void LogFile::Drain() {
  char piece[64 * 1024];
  for (std::size_t reads = 0; reads < kMostARound / sizeof piece; ++reads) {
    const ssize_t n = read(read_end_.get(), piece, sizeof piece);
    if (n <= 0) return;
    Append({piece, static_cast<std::size_t>(n)});
  }
  loop_.Rewatch(read_end_.get(), *this, EPOLLIN | EPOLLET);  // tells again what is there already
}

void LogFile::OnFdReady(std::uint32_t) { Drain(); }

}  // namespace plait::local
