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
constexpr Duration kTellAgain = std::chrono::minutes(1);
constexpr std::chrono::milliseconds kRoomWait{20};  // after which files that took nothing are looked at again
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

std::string_view NextStep(int error) {
  switch (error) {
    case EAGAIN: return "see what holds up its reader or its disk";
    case EPIPE: return "start the program that reads it again";
    case ENOSPC:
    case EDQUOT: return "make room on its disk";
    default: return "check the file and its disk";
  }
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
    if (!give_up_) give_up_ = std::chrono::steady_clock::now() + kFlushLimit;
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
  std::shared_ptr<LogSink> sink(new LogSink(sinks_.size(), path));
  if (path == "/dev/stdout" || path == "/dev/stderr") {
    sink->fd_ = sink->standard_.emplace(path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO).fd();
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
    if (fd && dup3(fd.get(), sink->owned_.get(), O_CLOEXEC) >= 0) continue;
    failed += (failed.empty() ? "" : ", ") + sink->path_ + " (" + std::strerror(errno) + ")";
    ++counts_.not_reopened;
  }
  if (failed.empty()) return {};
  return Explain(Errc::kUnavailable, "cannot be reopened: " + failed, kCheckFolder);
}

std::size_t LogWriter::files_not_open() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(sinks_, [](const auto& one) { return one->fd_ < 0 && one.use_count() > 1; }));
}

LogCounts LogWriter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string LogWriter::CountLost(LogSink& sink, int error) {
  ++counts_.lost;
  ++sink.lost_;
  const Time now = std::chrono::steady_clock::now();
  if (now < sink.tell_) return "";
  sink.tell_ = now + kTellAgain;
  return "access log '" + sink.path_ +
         "' cannot be written: " + (error == EAGAIN ? "it takes no more" : std::strerror(error)) +
         "; its lines are lost, writes so far: " + std::to_string(sink.lost_) + " (" + std::string(NextStep(error)) +
         "; told once a minute)";
}

void LogWriter::Hand(const LogSink& to, std::string block) {
  if (block.empty()) return;
  std::string told;
  {
    const std::lock_guard lock(mutex_);
    LogSink& sink = *sinks_[to.id()];
    if (sink.waiting_ + block.size() > kMostWaiting) {
      told = CountLost(sink, EAGAIN);
    } else {
      ++counts_.handed;
      counts_.waiting += block.size();
      sink.waiting_ += block.size();
      sink.blocks_.push_back(std::move(block));
    }
  }
  if (!told.empty()) kLog.Warn(told);
  wake_.notify_one();
}

void LogWriter::Flush(Duration limit) {
  std::unique_lock lock(mutex_);
  const Time end = std::chrono::steady_clock::now() + limit;
  give_up_ = end;
  // The thread gives up first.
  const bool all = written_.wait_until(lock, end + 5 * kRoomWait, [this] { return counts_.waiting == 0; });
  if (all && std::chrono::steady_clock::now() < end) give_up_.reset();
}

void LogWriter::RemoveFirst(LogSink& sink) {
  counts_.waiting -= sink.blocks_.front().size();
  sink.waiting_ -= sink.blocks_.front().size();
  sink.blocks_.pop_front();
  sink.done_ = 0;
}

void LogWriter::LoseFirst(LogSink& sink, int error, std::unique_lock<std::mutex>& lock) {
  if (sink.done_ > 0) sink.cut_ = sink.blocks_.front()[sink.done_ - 1] != '\n';
  RemoveFirst(sink);
  const std::string told = CountLost(sink, error);
  if (told.empty()) return;
  lock.unlock();
  kLog.Warn(told);
  lock.lock();
}

bool LogWriter::WriteSome(LogSink& sink, std::unique_lock<std::mutex>& lock) {
  if (files_ == LogFiles::kNone) {
    RemoveFirst(sink);
    return true;
  }
  if (sink.fd_ < 0 && std::chrono::steady_clock::now() >= sink.again_) TryAgain(sink, lock);
  if (sink.fd_ < 0) {  // told when it was opened
    RemoveFirst(sink);
    ++counts_.lost;
    return true;
  }
  const bool end_line = sink.cut_ && sink.done_ == 0;
  // Blocks that are handed over meanwhile leave the first where it is.
  const std::string_view text = end_line ? "\n" : std::string_view(sink.blocks_.front()).substr(sink.done_);
  const int fd = sink.fd_;
  lock.unlock();
  const ssize_t n = sink.standard_ ? sink.standard_->Write(text) : write(fd, text.data(), text.size());
  const int error = errno;
  lock.lock();
  if (n >= 0) {
    if (end_line) {
      sink.cut_ = false;
    } else if (sink.done_ += static_cast<std::size_t>(n); sink.done_ == sink.blocks_.front().size()) {
      RemoveFirst(sink);
      ++counts_.written;
    }
    return true;
  }
  if (error == EINTR) return true;
  if (error == EAGAIN && !(give_up_ && std::chrono::steady_clock::now() >= *give_up_)) return false;
  LoseFirst(sink, error, lock);  // the lines are lost, the proxy goes on
  return true;
}

// `in_vain`: they said they have room, and took nothing.
void LogWriter::AwaitRoom(std::unique_lock<std::mutex>& lock, bool in_vain) {
  if (in_vain) {
    wake_.wait_for(lock, kRoomWait);
    return;
  }
  std::vector<pollfd> full;
  for (const auto& sink : sinks_)
    if (!sink->blocks_.empty()) full.push_back({.fd = sink->fd_, .events = POLLOUT, .revents = 0});
  lock.unlock();
  poll(full.data(), full.size(), static_cast<int>(kRoomWait.count()));
  lock.lock();
}

void LogWriter::Run() {
  std::unique_lock lock(mutex_);
  for (bool awaited = false;;) {
    bool moved = false;
    for (std::size_t i = 0; i < sinks_.size(); ++i)  // more may come while the lock is left
      if (LogSink& sink = *sinks_[i]; !sink.blocks_.empty()) moved |= WriteSome(sink, lock);
    if (!moved && counts_.waiting != 0) {
      AwaitRoom(lock, std::exchange(awaited, true));
      continue;
    }
    awaited = false;
    if (counts_.waiting != 0) continue;
    written_.notify_all();
    if (stop_) return;
    wake_.wait(lock, [this] { return stop_ || counts_.waiting != 0; });
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
