#pragma once
// The load generator: requests over kept connections and over new ones, at a rate or as fast as answers come; never a
// retry. Counts what a client sees, so that the mesh's own counts can be held against it.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "call.h"
#include "core/conn/connection.h"

namespace plait::demo {

struct LoadOptions {
  Url url;
  std::string method = "GET";
  std::string body;
  http::Headers headers;
  std::uint32_t connections = 1;  // kept; each has at most one request under way
  double rate = 0;                // requests a second over all kept connections; 0: the next one at once
  double new_per_second = 0;      // further requests, each on a connection of its own
  std::uint64_t count = 0;        // of all requests; 0: until `duration` or a signal
  Duration duration{};            // 0: no limit
  Duration timeout = std::chrono::seconds(10);
  std::string count_by;           // answers are also counted by the value of this response header
};

struct LoadReport {
  std::uint64_t sent = 0;
  std::map<int, std::uint64_t> by_status;
  std::map<std::string, std::uint64_t> failures;  // no answer: by reason
  std::map<std::string, std::uint64_t> by_value;  // of LoadOptions::count_by
  std::vector<std::uint32_t> micros;              // of each answer
  std::uint64_t failed() const;                   // no answer or 5xx
  std::string ToJson() const;                     // {"sent","ok","failed","status":{},"failures":{},"by":{},"p50_ms","p99_ms","max_ms"}
};

class Load {
 public:
  Load(io::Loop& loop, LoadOptions options, std::vector<io::SocketAddress> addresses);
  ~Load();
  bool done() const noexcept;
  void Stop();  // no further requests; those under way are awaited
  const LoadReport& report() const noexcept { return report_; }

 private:
  class Kept;
  bool may_start() const noexcept { return !stopped_ && (options_.count == 0 || report_.sent < options_.count); }
  http::RequestHead Head() const;
  void Tick();
  void StartNew();
  void Answered(const http::ResponseHead& head, MonotonicTime since);
  void Failed(const char* why);

  io::Loop& loop_;
  const LoadOptions options_;
  const std::vector<io::SocketAddress> addresses_;
  const conn::ConnectionOptions connection_options_;
  LoadReport report_;
  bool stopped_ = false;
  double owed_ = 0, owed_new_ = 0;
  MonotonicTime last_tick_, end_;
  io::Timer tick_;
  std::size_t next_kept_ = 0;
  std::vector<std::unique_ptr<Kept>> kept_;
  std::uint64_t last_new_ = 0;
  std::map<std::uint64_t, Pending> new_;
};

}  // namespace plait::demo
