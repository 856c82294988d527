#pragma once
// Copies bytes between two open streams until both directions have ended: the data phase of TCP proxying, and of
// HTTP/1 upgrades that leave HTTP behind. Owned by a session, on its loop thread; destroyed through the loop.
// Holds at most `high_water` bytes a direction, and none while idle.
//
// Mirrors envoy.filters.network.tcp_proxy's data phase: half-close is passed on, a reset on one side resets the other.
#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/buffer.h"
#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/timer.h"

namespace plait::proxy::session {

enum class RelayEnd : std::uint8_t {
  kBothClosed,        // each side sent its FIN and all bytes were delivered
  kDownstreamFailed,  // reset or broken below the session
  kUpstreamFailed,
  kIdle,
  kMaxDuration,
};

struct RelayOptions {
  std::size_t high_water = 64 * 1024;  // read at once; the next read waits until all of it was taken
  Duration idle_timeout{0};            // 0: none
  Duration max_duration{0};            // 0: none
};

class Relay {
 public:
  // Bytes that were read before the relay began; they are delivered first.
  struct Held {
    Buffer from_downstream;
    Buffer from_upstream;
  };
  using OnEnd = std::move_only_function<void(RelayEnd)>;

  // `on_end` runs once, inside a callback of a stream or timer, after both streams were closed.
  Relay(io::Loop& loop, std::unique_ptr<io::Stream> downstream, std::unique_ptr<io::Stream> upstream, Held held,
        const RelayOptions& options, OnEnd on_end);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Starts copying in the next round.
  void Start();
  // Ends it now without telling `on_end` (drain, a policy that forbids the connection).
  void Abort();

  std::uint64_t bytes_from_downstream() const noexcept { return up_.moved; }
  std::uint64_t bytes_from_upstream() const noexcept { return down_.moved; }
  io::Stream& downstream() noexcept { return *downstream_; }
  io::Stream& upstream() noexcept { return *upstream_; }

 private:
  // FIN seen -> rest taken, our FIN asked for -> all sent
  enum class State : std::uint8_t { kOpen, kFlushing, kEnding, kClosed };
  struct Direction {
    io::Stream* from;
    io::Stream* to;
    Buffer held;
    State state = State::kOpen;
    std::uint64_t moved = 0;
  };
  class Side final : public io::StreamEvents {
   public:
    Side(Relay& relay, Direction& reads, Direction& writes, RelayEnd failure)
        : relay_(relay), reads_(reads), writes_(writes), failure_(failure) {}
    void OnOpen() override {}
    void OnReadable() override { relay_.Pump(reads_); }
    void OnWritable() override { relay_.Pump(writes_); }
    void OnFailed(Error) override { relay_.Finish(failure_); }

   private:
    Relay& relay_;
    Direction& reads_;
    Direction& writes_;
    RelayEnd failure_;
  };

  void Pump(Direction& direction);
  Result<bool> Step(Direction& direction);  // true: may go on at once
  void Finish(RelayEnd end);
  void OnIdle();
  RelayEnd FailureOf(const io::Stream* stream) const noexcept;

  io::Loop& loop_;
  std::unique_ptr<io::Stream> downstream_;
  std::unique_ptr<io::Stream> upstream_;
  RelayOptions options_;
  Direction up_;    // downstream -> upstream
  Direction down_;  // upstream -> downstream
  Side downstream_side_;
  Side upstream_side_;
  OnEnd on_end_;
  MonotonicTime last_activity_{};
  bool ended_ = false;
  io::Timer idle_;
  io::Timer lifetime_;
  io::Timer again_;  // the rest of a pump that was cut short for fairness
};

}  // namespace plait::proxy::session
