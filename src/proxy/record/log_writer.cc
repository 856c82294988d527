#include "proxy/record/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/log.h"

namespace plait::proxy::record {

namespace {

log::Component kLog("access_log");
constexpr const char* kCheckFolder = "check that the folder exists and that the proxy's user may write there";

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

// A pipe is not waited for that nobody reads.
io::UniqueFd OpenForAppend(const std::string& path) {
  return io::UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644));
}

}  // namespace

LogWriter::LogWriter(LogFiles files, Duration retry)
    : retry_(retry), files_(files), thread_(StartWithoutStopSignals([this] { Run(); })) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogWriter::SetFiles(LogFiles files) {
  const std::lock_guard lock(mutex_);
  files_ = files;
}

bool LogWriter::OpenSink(LogSink& sink) {
  sink.again_ = std::chrono::steady_clock::now() + retry_;
  sink.owned_ = OpenForAppend(sink.path_);
  sink.fd_ = sink.owned_ ? sink.owned_.get() : -1;
  return sink.fd_ >= 0;
}

// Where the file lies may be slow, and workers wait for the lock.
void LogWriter::TryAgain(LogSink& sink, std::unique_lock<std::mutex>& lock) {
  sink.again_ = std::chrono::steady_clock::now() + retry_;
  lock.unlock();
  io::UniqueFd fd = OpenForAppend(sink.path_);
  lock.lock();
  if (sink.fd_ >= 0 || !fd) return;  // Reopen may have been faster
  sink.owned_ = std::move(fd);
  sink.fd_ = sink.owned_.get();
  kLog.Info("access log '" + sink.path_ + "' is open");
}

void LogWriter::TellNotOpen(const LogSink& sink) const {
  kLog.Warn("access log '" + sink.path_ + "' cannot be opened: " + std::strerror(errno) + "; its lines are lost (" +
            kCheckFolder + "; it is tried again)");
}

Outcome<std::shared_ptr<const LogSink>> LogWriter::Open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(sinks_, path, [](const auto& one) -> const std::string& { return one->path_; });
  if (known != sinks_.end()) return *known;
  const std::shared_ptr<LogSink> sink(new LogSink(sinks_.size(), path));
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    sink->fd_ = path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO;
  } else if (files_ != LogFiles::kNone && !OpenSink(*sink)) {
    if (files_ == LogFiles::kMustOpen) {
      const std::string why = std::strerror(errno);
      return Explain(Errc::kUnavailable, "access log '" + path + "' cannot be opened: " + why, kCheckFolder);
    }
    TellNotOpen(*sink);
  }
  sinks_.push_back(sink);
  return sink;
}

Outcome<> LogWriter::Reopen() {
  const std::lock_guard lock(mutex_);
  std::string failed;
  for (const auto& sink : sinks_) {
    if (sink->fd_ >= 0 && !sink->owned_) continue;
    if (sink->fd_ < 0 && OpenSink(*sink)) continue;
    // The new file takes the number of the old one, into which a write may be under way.
    const io::UniqueFd fd = sink->fd_ < 0 ? io::UniqueFd() : OpenForAppend(sink->path_);
    if (!fd || dup3(fd.get(), sink->owned_.get(), O_CLOEXEC) < 0)
      failed += (failed.empty() ? "" : ", ") + sink->path_ + " (" + std::strerror(errno) + ")";
  }
  if (failed.empty()) return {};
  return Explain(Errc::kUnavailable, "cannot be reopened: " + failed, kCheckFolder);
}

std::size_t LogWriter::files_not_open() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(sinks_, [](const auto& one) { return one->fd_ < 0 && one.use_count() > 1; }));
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
    blocks_.emplace_back(sinks_[sink.id()].get(), std::move(block));
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
    const auto [sink, text] = std::move(blocks_.front());
    blocks_.pop_front();
    if (sink->fd_ < 0 && files_ != LogFiles::kNone && std::chrono::steady_clock::now() >= sink->again_)
      TryAgain(*sink, lock);
    const int fd = sink->fd_;
    lock.unlock();
    if (fd >= 0) WriteAll(fd, text);
    lock.lock();
    waiting_ -= text.size();
    if (waiting_ == 0) written_.notify_all();
  }
}

LogBuffers::LogBuffers(io::Loop& loop, LogWriter& writer)
    : loop_(loop),
      writer_(writer),
      age_([this] {
        at_once_ = kAtOnce;
        HandOver();
      }),
      soon_([this] { HandOver(); }) {}

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
    return;
  }
  if (!age_.armed()) age_.Start(loop_.timers(), kAge);
  if (soon_.armed() || at_once_ == 0) return;
  --at_once_;
  soon_.Start(loop_.timers(), Duration(0));
}

void LogBuffers::HandOver() {
  for (One& one : buffers_) {
    if (!one.text.empty()) writer_.Hand(*one.sink, std::exchange(one.text, {}));
  }
}

}  // namespace plait::proxy::record
