#include "core/io/wall_timer.h"

#include <algorithm>

namespace plait::io {

WallTimer::WallTimer(Loop& loop, std::move_only_function<void()> on_fire)
    : loop_(loop), on_fire_(std::move(on_fire)), timer_([this] { Look(); }) {}

void WallTimer::Start(Duration delay) {
  wall_end_ = loop_.clock().Wall() + delay;
  end_ = loop_.Now() + delay;
  timer_.Start(loop_.timers(), std::min(delay, kLook));
}

void WallTimer::Look() {
  const Duration left = std::min(Duration(wall_end_ - loop_.clock().Wall()), Duration(end_ - loop_.Now()));
  if (left <= Duration(0)) return on_fire_();
  timer_.Start(loop_.timers(), std::min(left, kLook));
}

}  // namespace plait::io
