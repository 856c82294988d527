#pragma once
// Access log files of the process. Workers fill buffers of their own and hand them over when they are full or old; one
// thread writes them, so a slow disk or pipe never holds up a worker. When more than 8 MiB wait, blocks are dropped and
// counted.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/result.h"
#include "core/io/loop.h"
#include "core/io/unique_fd.h"

namespace plait::proxy::record {

class LogWriter;

// A file that lines go to. Made by LogWriter, lives as long as it.
class LogSink {
 public:
  std::size_t id() const noexcept { return id_; }
  const std::string& path() const noexcept { return path_; }

 private:
  friend class LogWriter;
  LogSink(std::size_t id, std::string path, io::UniqueFd owned, int fd)
      : id_(id), path_(std::move(path)), owned_(std::move(owned)), fd_(fd) {}
  const std::size_t id_;
  const std::string path_;
  io::UniqueFd owned_;  // not for standard output and error
  const int fd_;
};

class LogWriter {
 public:
  static constexpr std::size_t kMostWaiting = 8 * 1024 * 1024;

  LogWriter();
  ~LogWriter();  // writes what was handed over
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // The sink of a path; the same object for the same path. "/dev/stdout" and "/dev/stderr" are the process's own.
  Outcome<const LogSink*> Open(const std::string& path);
  void Hand(const LogSink& sink, std::string block);  // any thread
  // Opens each file anew (it was moved away). Those that cannot be opened are named, and go on with what was open.
  Outcome<> Reopen();
  // Waits until everything that was handed over before is written (shutdown, tests).
  void Flush();
  std::uint64_t dropped_blocks() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  void Run();
  static void WriteAll(int fd, std::string_view text);

  std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::map<std::string, std::unique_ptr<LogSink>> sinks_;
  std::deque<std::pair<int, std::string>> blocks_;
  std::size_t waiting_ = 0;  // bytes in blocks_ and in the write that runs
  bool stop_ = false;
  std::atomic<std::uint64_t> dropped_{0};
  std::thread thread_;
};

// One worker's buffers, by sink.
class LogBuffers {
 public:
  static constexpr std::size_t kBlock = 64 * 1024;
  static constexpr Duration kAge = std::chrono::milliseconds(200);  // users tail logs

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
};

}  // namespace plait::proxy::record
