#include "proxy/record/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace plait::proxy::record {

namespace {

// SIGTERM, SIGINT and SIGUSR2 are for a thread that knows what to do with them. One that has them unblocked would be
// chosen by the kernel instead, and the process would end on the spot, with lines unwritten.
template <class Run>
std::thread StartWithoutStopSignals(Run run) {
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGUSR2);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, &before);
  std::thread thread(std::move(run));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

io::UniqueFd OpenForAppend(const std::string& path) {
  return io::UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
}

}  // namespace

LogWriter::LogWriter() : thread_(StartWithoutStopSignals([this] { Run(); })) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Outcome<const LogSink*> LogWriter::Open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<LogSink>& sink = sinks_[path];
  if (sink) return sink.get();
  const std::size_t id = sinks_.size() - 1;
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    sink.reset(new LogSink(id, path, {}, path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO));
    return sink.get();
  }
  io::UniqueFd fd = OpenForAppend(path);
  if (!fd) {
    const std::string why = std::strerror(errno);
    sinks_.erase(path);
    return Explain(Errc::kUnavailable, "access log '" + path + "' cannot be opened: " + why,
                   "check that the folder exists and that the proxy's user may write there");
  }
  const int number = fd.get();
  sink.reset(new LogSink(id, path, std::move(fd), number));
  return sink.get();
}

Outcome<> LogWriter::Reopen() {
  const std::lock_guard lock(mutex_);
  std::string failed;
  for (const auto& [path, sink] : sinks_) {
    if (!sink->owned_) continue;
    // The new file takes the number of the old one, which blocks that wait already carry.
    const io::UniqueFd fd = OpenForAppend(path);
    if (!fd || dup3(fd.get(), sink->owned_.get(), O_CLOEXEC) < 0)
      failed += (failed.empty() ? "" : ", ") + path + " (" + std::strerror(errno) + ")";
  }
  if (failed.empty()) return {};
  return Explain(Errc::kUnavailable, "cannot be reopened: " + failed,
                 "check that the folder exists and that the proxy's user may write there");
}

void LogWriter::Hand(const LogSink& sink, std::string block) {
  if (block.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_ + block.size() > kMostWaiting) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    waiting_ += block.size();
    blocks_.emplace_back(sink.fd_, std::move(block));
  }
  wake_.notify_one();
}

void LogWriter::Flush() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return waiting_ == 0; });
}

void LogWriter::WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {  // somebody made our standard output non-blocking
      pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&wait, 1, 1000);
    } else if (errno != EINTR) {
      return;  // full disk, closed pipe: the lines are lost, the proxy goes on
    }
  }
}

void LogWriter::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !blocks_.empty(); });
    if (blocks_.empty()) return;  // stopped, and nothing is left
    const auto [fd, text] = std::move(blocks_.front());
    blocks_.pop_front();
    lock.unlock();
    WriteAll(fd, text);
    lock.lock();
    waiting_ -= text.size();
    if (waiting_ == 0) written_.notify_all();
  }
}

LogBuffers::LogBuffers(io::Loop& loop, LogWriter& writer)
    : loop_(loop), writer_(writer), age_([this] { HandOver(); }) {}

LogBuffers::~LogBuffers() { HandOver(); }

std::string& LogBuffers::Of(const LogSink& sink) {
  if (buffers_.size() <= sink.id()) buffers_.resize(sink.id() + 1);
  One& one = buffers_[sink.id()];
  one.sink = &sink;
  return one.text;
}

void LogBuffers::Appended(const LogSink& sink) {
  One& one = buffers_[sink.id()];
  if (one.text.size() >= kBlock) {
    writer_.Hand(sink, std::exchange(one.text, {}));
  } else if (!age_.armed()) {
    age_.Start(loop_.timers(), kAge);
  }
}

void LogBuffers::HandOver() {
  for (One& one : buffers_) {
    if (!one.text.empty()) writer_.Hand(*one.sink, std::exchange(one.text, {}));
  }
}

}  // namespace plait::proxy::record
