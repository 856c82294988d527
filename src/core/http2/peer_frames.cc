#include "core/http2/peer_frames.h"

#include <algorithm>

namespace plait::http2 {
namespace {

constexpr std::uint8_t kData = 0;
constexpr std::uint8_t kHeaders = 1;
constexpr std::uint8_t kResetStream = 3;
constexpr std::uint8_t kEndStream = 1;

}  // namespace

std::size_t PeerFrames::Follow(Bytes bytes) {
  std::size_t at = 0;
  for (;;) {
    const std::size_t skipped = std::min(skip_, bytes.size() - at);
    skip_ -= skipped;
    at += skipped;
    if (at == bytes.size()) return at;
    const std::size_t n = std::min(kHeader - have_, bytes.size() - at);
    std::copy_n(bytes.data() + at, n, header_.data() + have_);
    if (have_ + n < kHeader) {
      have_ += n;
      return bytes.size();
    }
    const auto id =
        static_cast<std::int32_t>((header_[5] & 0x7fu) << 24 | header_[6] << 16 | header_[7] << 8 | header_[8]);
    if (!Allows(header_[3], header_[4], id)) return at;
    have_ = 0;
    at += n;
    skip_ = static_cast<std::size_t>(header_[0] << 16 | header_[1] << 8 | header_[2]);
  }
}

bool PeerFrames::Allows(std::uint8_t type, std::uint8_t flags, std::int32_t id) {
  const bool client = id % 2 == 1;  // what is said of other streams nghttp2 judges
  if (!client || (type != kData && type != kHeaders && type != kResetStream)) return true;
  const bool ends = type == kResetStream || (flags & kEndStream) != 0;
  if (id > newest_) {
    if (type != kHeaders) return true;  // on a stream that is idle: nghttp2's
    newest_ = id;
    if (ends) return true;
    if (open_.size() == kRemembered) {
      unwatched_ = open_.front();
      open_.erase(open_.begin());
    }
    open_.push_back(id);
    return true;
  }
  const auto found = std::lower_bound(open_.begin(), open_.end(), id);
  if (found == open_.end() || *found != id) return type == kResetStream || id <= unwatched_;
  if (ends) open_.erase(found);
  return true;
}

}  // namespace plait::http2
