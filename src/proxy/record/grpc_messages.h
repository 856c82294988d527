#pragma once
// Counts the messages of a gRPC stream as its bytes pass (5-byte prefix: compressed flag, 32-bit length; gRPC over
// HTTP/2). A value; one a direction.
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/buffer.h"
#include "core/base/bytes.h"

namespace plait::proxy::record {

class GrpcMessages {
 public:
  // What is in the buffer, which keeps it; the count with it. Any cut of a stream gives the same count. Bodies are not
  // read; each message is a walk along the buffer's chunks.
  std::uint64_t Pass(const Buffer& data) noexcept {
    for (std::size_t at = 0; at < data.size();) {
      if (body_left_ > 0) {
        const std::size_t step = data.size() - at < body_left_ ? data.size() - at : body_left_;
        body_left_ -= static_cast<std::uint32_t>(step);
        at += step;
        continue;
      }
      const std::size_t n = data.CopyOut(MutableBytes(prefix_).subspan(prefix_seen_), at);
      at += n;
      prefix_seen_ += static_cast<std::uint32_t>(n);
      if (prefix_seen_ < prefix_.size()) break;
      ++count_;
      for (const std::uint8_t byte : Bytes(prefix_).subspan(1)) body_left_ = body_left_ << 8 | byte;
      prefix_seen_ = 0;
    }
    return count_;
  }
  std::uint64_t count() const noexcept { return count_; }

 private:
  std::uint64_t count_ = 0;
  std::uint32_t body_left_ = 0;
  std::uint32_t prefix_seen_ = 0;
  std::array<std::uint8_t, 5> prefix_{};
};

}  // namespace plait::proxy::record
