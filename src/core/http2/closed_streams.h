#pragma once
// Which frames may still come on a stream that is over (RFC 9113 5.1): after a reset of ours whatever was on its way,
// after the peer's own end or reset nothing that carries a message. nghttp2 forgets a stream when it is over (what it
// would keep grows with SETTINGS_MAX_CONCURRENT_STREAMS); this remembers only resets. Server's side; one thread.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace plait::http2 {

class ClosedStreams {
 public:
  // The peer opened `id`, or tried to.
  void Opened(std::int32_t id) noexcept {
    if (id > newest_) newest_ = id;
  }
  // We reset it or refused to open it.
  void Reset(std::int32_t id);
  // Whether HEADERS or DATA on `id`, which is no living stream, break the rule. False for one that is yet to be opened.
  bool Breaks(std::int32_t id) const noexcept;

 private:
  static constexpr std::size_t kRemembered = 128;

  std::int32_t newest_ = 0;
  std::int32_t forgotten_ = 0;       // up to here resets may have been forgotten
  std::vector<std::int32_t> reset_;  // the last ones, as a ring; empty until the first
  std::size_t next_ = 0;
};

}  // namespace plait::http2
