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
namespace {

constexpr Duration kRetry = std::chrono::seconds(1);

}  // namespace

std::string TextOf(const LogLosses& losses) {
  std::size_t bytes = 0;
  for (const auto& [path, loss] : losses) bytes += loss.bytes;
  const auto& [path, loss] = *losses.begin();
  return "cannot write the log " + path + ": " + strerror(loss.error) +
         (losses.size() > 1 ? ", nor " + std::to_string(losses.size() - 1) + " more" : "") + "; " +
         std::to_string(bytes) + " bytes are lost so far: make room there";
}

LogFile::LogFile(io::Loop& loop, LogLosses& losses, std::string path)
    : loop_(loop), losses_(losses), path_(std::move(path)) {
  retry_.SetCallback([this] { TellLoss(); });
}

Outcome<std::unique_ptr<LogFile>> LogFile::Open(io::Loop& loop, LogLosses& losses, std::string path) {
  if (Outcome<> made = MakeFolders(path.substr(0, path.rfind('/'))); !made) return std::unexpected(made.error());
  std::unique_ptr<LogFile> log(new LogFile(loop, losses, std::move(path)));
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
  losses_.erase(path_);
}

bool LogFile::Reopen() {
  file_.Reset(open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  struct stat info{};
  if (!file_ || fstat(file_.get(), &info) != 0) return false;
  size_ = static_cast<std::size_t>(info.st_size);
  in_line_ = false;
  return true;
}

void LogFile::Rotate() {
  rename(path_.c_str(), (path_ + ".1").c_str());
  Reopen();
}

std::size_t LogFile::Write(std::string_view text) {
  std::size_t done = 0;
  if (!file_ && !Reopen()) return done;  // it was rotated when there was no room
  while (done < text.size()) {
    const ssize_t n = write(file_.get(), text.data() + done, text.size() - done);
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
    size_ += static_cast<std::size_t>(n);
    in_line_ = text[done - 1] != '\n';
  }
  return done;
}

void LogFile::Lose(std::size_t bytes, int error) {
  LogLoss& loss = losses_[path_];
  loss.bytes += bytes;
  loss.error = error;
  retry_.Start(loop_.timers(), kRetry);
}

void LogFile::TellLoss() {
  const auto lost = losses_.find(path_);
  if (lost == losses_.end()) return;
  const std::string note = (in_line_ ? "\nplait: " : "plait: ") + std::to_string(lost->second.bytes) +
                           " bytes of log lost: " + strerror(lost->second.error) + "\n";
  if (Write(note) < note.size()) {
    retry_.Start(loop_.timers(), kRetry);
    return;
  }
  retry_.Cancel();
  losses_.erase(lost);
}

void LogFile::Append(std::string_view text) {
  TellLoss();
  std::string_view rest;
  if (size_ + text.size() > kRotateAt) {
    const std::size_t end = text.rfind('\n');
    if (end != std::string_view::npos) {
      rest = text.substr(end + 1);
      text = text.substr(0, end + 1);
    }
  }
  if (const std::size_t done = Write(text); done < text.size()) Lose(text.size() - done, errno);
  if (size_ >= kRotateAt && !text.empty() && text.back() == '\n') Rotate();
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
