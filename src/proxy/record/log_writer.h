#pragma once
// Access log files of the process. Workers fill buffers of their own and hand them over when they are full or old, or
// at once as long as there is little to write; one thread writes them, so a slow disk or pipe never holds up a worker,
// and a pipe that nobody reads none of the other files. When more than 8 MiB wait for a file, blocks are lost. What is
// lost is counted and told.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/outlet.h"
#include "core/base/result.h"
#include "core/io/loop.h"
#include "core/io/unique_fd.h"

namespace plait::proxy::record {

class LogWriter;

// A file that lines go to. Made by LogWriter, lives as long as it; who holds one has lines for it.
class LogSink {
 public:
  std::size_t id() const noexcept { return id_; }
  const std::string& path() const noexcept { return path_; }

 private:
  friend class LogWriter;
  LogSink(std::size_t id, std::string path) : id_(id), path_(std::move(path)) {}
  const std::size_t id_;
  const std::string path_;
  std::optional<Outlet> standard_;  // output or error
  // Under the writer's lock.
  io::UniqueFd owned_;                                // not for standard output and error
  int fd_ = -1;                                       // -1: it cannot be opened, and lines are lost
  std::chrono::steady_clock::time_point again_ = {};  // when it is tried next
  std::deque<std::string> blocks_;
  std::size_t done_ = 0;                             // bytes of the first block that are written
  std::size_t waiting_ = 0;                          // bytes in blocks_
  bool cut_ = false;                                 // what is written ends within a line, whose rest was lost
  std::uint64_t lost_ = 0;                           // blocks
  std::chrono::steady_clock::time_point tell_ = {};  // that lines are lost, not before
};

// Of blocks of lines.
struct LogCounts {
  std::uint64_t handed = 0;
  std::uint64_t written = 0;
  std::uint64_t lost = 0;
  std::uint64_t not_reopened = 0;  // files
  std::size_t waiting = 0;         // bytes
};

// What becomes of a path that cannot be opened. An access log is no reason to do without a policy.
enum class LogFiles : std::uint8_t {
  kMustOpen,  // an error, as in Envoy: for static listeners, whose owner is there to read it
  kMayFail,   // told, and tried again
  kNone,      // no file is opened: nothing is ever written
};

class LogWriter {
 public:
  static constexpr std::size_t kMostWaiting = 8 * 1024 * 1024;  // for a file
  static constexpr Duration kFlushLimit = std::chrono::seconds(2);

  // `retry`: after which a file that could not be opened is tried again, when there are lines for it.
  explicit LogWriter(LogFiles files = LogFiles::kMustOpen, Duration retry = std::chrono::seconds(10));
  ~LogWriter();  // writes what was handed over, as Flush
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void SetFiles(LogFiles files);  // from now on
  // The sink of a path; the same object for the same path. "/dev/stdout" and "/dev/stderr" are the process's own.
  Outcome<std::shared_ptr<const LogSink>> Open(const std::string& path);
  void Hand(const LogSink& sink, std::string block);  // any thread
  // Opens each file anew (it was moved away). Those that cannot be opened are named, and go on with what was open, if
  // any.
  Outcome<> Reopen();
  // Waits until everything that was handed over before is written (shutdown, tests). What nobody takes within the limit
  // is lost, as is what is handed over for it from then on.
  void Flush(Duration limit = kFlushLimit);
  LogCounts counts() const;
  std::size_t files_not_open() const;  // of those that somebody holds

 private:
  using Time = std::chrono::steady_clock::time_point;
  void Run();
  // All under the lock, which is left meanwhile for what takes time. OpenSink sets errno.
  bool OpenSink(LogSink& sink);
  void TryAgain(LogSink& sink, std::unique_lock<std::mutex>& lock);
  void TellNotOpen(const LogSink& sink) const;
  // Goes on with the first block; false: the file takes nothing now.
  bool WriteSome(LogSink& sink, std::unique_lock<std::mutex>& lock);
  void AwaitRoom(std::unique_lock<std::mutex>& lock, bool in_vain);
  void LoseFirst(LogSink& sink, int error, std::unique_lock<std::mutex>& lock);
  void RemoveFirst(LogSink& sink);
  // Empty: it was told less than a minute ago.
  std::string CountLost(LogSink& sink, int error);

  const Duration retry_;
  mutable std::mutex mutex_;
  LogFiles files_;
  std::condition_variable wake_, written_;
  std::vector<std::shared_ptr<LogSink>> sinks_;  // by id
  LogCounts counts_;
  std::optional<Time> give_up_;  // the limit of Flush
  bool stop_ = false;
  std::thread thread_;
};

// One worker's buffers, by sink.
class LogBuffers {
 public:
  static constexpr std::size_t kBlock = 64 * 1024;
  static constexpr Duration kAge = std::chrono::milliseconds(200);  // users tail logs
  // So many times in each kAge lines are handed over as soon as they are there: whoever has got an answer looks for its
  // line. Whoever makes more requests than these waits for the rest of kAge.
  static constexpr int kAtOnce = 16;

  LogBuffers(io::Loop& loop, LogWriter& writer);
  ~LogBuffers();
  // Where to append a line for this sink; call Appended after it.
  std::string& Of(const LogSink& sink);
  void Appended(const LogSink& sink);
  void HandOver();

 private:
  struct One {
    const LogSink* sink = nullptr;
    std::string text;
  };
  io::Loop& loop_;
  LogWriter& writer_;
  std::vector<One> buffers_;  // by sink id
  io::Timer age_;
  io::Timer soon_;  // a millisecond
  int at_once_ = kAtOnce;
};

}  // namespace plait::proxy::record
