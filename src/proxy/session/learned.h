#pragma once
// What the last connections to a destination were, so that the next one is dialled at the right moment (semantics.md
// 1). It decides nothing else: every connection is classified by its own bytes. One a worker.
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "core/io/address.h"

namespace plait::proxy::session {

class LearnedDestinations {
 public:
  enum class Speaks : std::uint8_t {
    kUnknown,      // or the client speaks first, something other than HTTP
    kServerFirst,  // dial at once
    kHttp,         // the client will speak; a dial before that would most likely be for nothing
  };
  Speaks Of(const io::SocketAddress& destination) const {
    const auto found = known_.find(destination);
    return found == known_.end() ? Speaks::kUnknown : found->second;
  }
  // The last one counts. Beyond kMost destinations nothing new is learned.
  void Note(const io::SocketAddress& destination, Speaks speaks) {
    if (speaks == Speaks::kUnknown) {
      known_.erase(destination);
    } else if (const auto found = known_.find(destination); found != known_.end()) {
      found->second = speaks;
    } else if (known_.size() < kMost) {
      known_.emplace(destination, speaks);
    }
  }

 private:
  static constexpr std::size_t kMost = 4096;
  struct Hash {
    std::size_t operator()(const io::SocketAddress& at) const noexcept {
      return io::IpHash()(at.ip) * 65'599 + at.port.value;
    }
  };
  std::unordered_map<io::SocketAddress, Speaks, Hash> known_;
};

}  // namespace plait::proxy::session
