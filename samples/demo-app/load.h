#pragma once
// The load generator: requests over kept connections and over new ones, at a rate or as fast as answers come; never a
// retry. Counts what a client sees, so that the mesh's own counts can be held against it. A rate is constant: each
// request has a time when it is due, and its latency counts from then, so that a stall shows as the latency of all that
// it held up.
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
  std::string count_by;  // answers are also counted by the value of this response header
};

struct LoadReport {
  std::uint64_t sent = 0;      // all of them
  std::uint64_t sent_new = 0;  // of these, on connections of their own
  // Kept connections that were opened once more because they had ended since their last answer.
  std::uint64_t reopened = 0;
  std::map<int, std::uint64_t> by_status;
  std::map<std::string, std::uint64_t> failures;  // no answer: by reason
  std::map<std::string, std::uint64_t> by_value;  // of LoadOptions::count_by
  std::vector<std::uint32_t> micros;              // of each answer, since the request was due
  Duration longest{};                             // until an answer, or until it was clear that there is none
  Duration asked_for{};                           // how long requests were begun
  std::uint64_t failed() const;                   // no answer or 5xx
  // {"sent","kept","new","reopened","ok","failed","status":{},"failures":{},"by":{},"p50_ms","p99_ms","max_ms","seconds"};
  // sent = kept + new
  std::string ToJson() const;
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
  Kept* FindIdle();
  void Tick();
  void StartNew(MonotonicTime since);
  void Begun();
  void Answered(const http::ResponseHead& head, MonotonicTime since);
  void Failed(const char* why, MonotonicTime since);
  Duration Waited(MonotonicTime since);

  io::Loop& loop_;
  const LoadOptions options_;
  const std::vector<io::SocketAddress> addresses_;
  const conn::ConnectionOptions connection_options_;
  LoadReport report_;
  bool stopped_ = false;
  const MonotonicTime begin_, end_;
  MonotonicTime next_due_, next_new_due_;
  io::Timer tick_;
  std::size_t next_kept_ = 0;
  std::vector<std::unique_ptr<Kept>> kept_;
  std::uint64_t last_new_ = 0;
  std::map<std::uint64_t, Pending> new_;
};

}  // namespace plait::demo
