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
  // Any cut of the bytes gives the same count.
  void Pass(Bytes bytes) noexcept {
    std::size_t at = 0;
    while (at < bytes.size()) {
      if (body_left_ > 0) {
        const std::size_t step = bytes.size() - at < body_left_ ? bytes.size() - at : body_left_;
        body_left_ -= static_cast<std::uint32_t>(step);
        at += step;
        continue;
      }
      if (prefix_seen_ > 0) length_ = length_ << 8 | bytes[at];
      ++at;
      if (++prefix_seen_ < kPrefix) continue;
      ++count_;
      body_left_ = length_;
      length_ = prefix_seen_ = 0;
    }
  }
  // What is in the buffer, which keeps it; the count with it. Bodies are not read; each message is a walk along the
  // buffer's chunks.
  std::uint64_t Pass(const Buffer& data) noexcept {
    std::array<std::uint8_t, kPrefix> prefix;
    for (std::size_t at = 0; at < data.size();) {
      if (body_left_ > 0) {
        const std::size_t step = data.size() - at < body_left_ ? data.size() - at : body_left_;
        body_left_ -= static_cast<std::uint32_t>(step);
        at += step;
        continue;
      }
      const std::size_t n = data.CopyOut(MutableBytes(prefix).first(kPrefix - prefix_seen_), at);
      Pass(Bytes(prefix.data(), n));
      at += n;
    }
    return count_;
  }
  std::uint64_t count() const noexcept { return count_; }

 private:
  static constexpr std::uint32_t kPrefix = 5;
  std::uint64_t count_ = 0;
  std::uint32_t body_left_ = 0;
  std::uint32_t length_ = 0;
  std::uint32_t prefix_seen_ = 0;
};

}  // namespace plait::proxy::record
