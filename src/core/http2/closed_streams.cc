#include "core/http2/closed_streams.h"

#include <algorithm>

namespace plait::http2 {

void ClosedStreams::Reset(std::int32_t id) {
  if (std::find(reset_.begin(), reset_.end(), id) != reset_.end()) return;
  if (reset_.size() < kRemembered) {
    reset_.push_back(id);
    return;
  }
  forgotten_ = std::max(forgotten_, reset_[next_]);
  reset_[next_] = id;
  next_ = (next_ + 1) % kRemembered;
}

bool ClosedStreams::Breaks(std::int32_t id) const noexcept {
  return id > forgotten_ && id <= newest_ && std::find(reset_.begin(), reset_.end(), id) == reset_.end();
}

}  // namespace plait::http2
