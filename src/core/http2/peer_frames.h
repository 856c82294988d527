#pragma once
// Watches the frames of an HTTP/2 client for one rule (RFC 9113 5.1): after it has ended or reset a stream, it sends no
// HEADERS and no DATA on it any more. nghttp2 forgets a stream that is over and then drops such frames without a word
// (what it would keep grows with SETTINGS_MAX_CONCURRENT_STREAMS). What we have reset does not count here: frames of
// the client may still be on their way then. Server's side; one thread. Costs nothing a byte: it looks at frame
// headers.
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/bytes.h"

namespace plait::http2 {

class PeerFrames {
 public:
  // Follows the next bytes of the connection, whose first are the preface. Returns how many of them may be used: all,
  // or those before the end of the header of the first frame that breaks the rule. Not to be called any more after
  // that.
  std::size_t Follow(Bytes bytes);

 private:
  static constexpr std::size_t kHeader = 9;
  static constexpr std::size_t kPreface = 24;
  static constexpr std::size_t kRemembered = 2048;  // streams that may be open at once; the oldest are not watched

  bool Allows(std::uint8_t type, std::uint8_t flags, std::int32_t id);

  std::array<std::uint8_t, kHeader> header_{};
  std::size_t have_ = 0;            // of `header_`
  std::size_t skip_ = kPreface;     // bytes until the next frame begins
  std::int32_t newest_ = 0;         // the highest stream that the client has opened
  std::int32_t unwatched_ = 0;      // up to here `open_` may lack streams
  std::vector<std::int32_t> open_;  // opened and not ended by the client; ascending
};

}  // namespace plait::http2
