#include "core/io/timer.h"

#include <algorithm>
#include <bit>

namespace plait::io {
namespace {
// Configurations write "never" as thousands of years, which no clock reading can be added to.
constexpr Duration kMostWait = std::chrono::hours(24 * 365 * 100);
}  // namespace

void Timer::Start(TimerWheel& wheel, Duration delay) {
  Cancel();
  wheel_ = &wheel;
  due_tick_ = wheel.target_ + 1;  // behind all that an Advance still goes through
  if (delay > Duration(0)) {      // rounded up: never early
    const MonotonicTime due = wheel.last_now_ + std::min(delay, kMostWait) + TimerWheel::kTick - Duration(1);
    due_tick_ = std::max(due_tick_, wheel.TickOf(due));
  }
  wheel.Insert(*this);
  ++wheel.armed_;
}

void Timer::Cancel() noexcept {
  if (previous_ == nullptr) return;
  TimerWheel::Unlink(*this);
  --wheel_->armed_;
  if (wheel_->running_ != this) wheel_ = nullptr;
}

Timer::~Timer() {
  if (wheel_ != nullptr && wheel_->running_ == this) wheel_->running_ = nullptr;
  Cancel();
}

TimerWheel::TimerWheel(MonotonicTime start) : start_(start), last_now_(start) {
  for (auto& level : slots_)
    for (Timer& slot : level) slot.previous_ = slot.next_ = &slot;
  firing_.previous_ = firing_.next_ = &firing_;
}

TimerWheel::~TimerWheel() {
  const auto release = [](Timer& sentinel) {
    while (sentinel.next_ != &sentinel) {
      sentinel.next_->wheel_ = nullptr;
      Unlink(*sentinel.next_);
    }
    sentinel.previous_ = sentinel.next_ = nullptr;  // the sentinel's own destructor has nothing to cancel
  };
  for (auto& level : slots_)
    for (Timer& slot : level) release(slot);
  release(firing_);
}

std::uint64_t TimerWheel::TickOf(MonotonicTime time) const noexcept {
  return time <= start_ ? 0 : static_cast<std::uint64_t>((time - start_) / kTick);
}

void TimerWheel::Unlink(Timer& timer) noexcept {
  timer.previous_->next_ = timer.next_;
  timer.next_->previous_ = timer.previous_;
  timer.previous_ = timer.next_ = nullptr;
}

void TimerWheel::Insert(Timer& timer) noexcept {
  // The level is that of the highest 6-bit digit in which the due tick differs from now: its slot is visited exactly
  // when the lower digits roll over, then the timer falls to a lower level.
  const std::uint64_t limit = tick_ + (std::uint64_t{1} << (kBits * kLevels)) - 1;
  const std::uint64_t due = std::min(timer.due_tick_, limit);
  const std::uint64_t difference = due ^ tick_;
  const int digit = difference == 0 ? 0 : static_cast<int>((std::bit_width(difference) - 1) / kBits);
  const int level = std::min(digit, kLevels - 1);
  const std::uint64_t slot = due >> (kBits * level) & (kSlots - 1);
  Append(slots_[static_cast<std::size_t>(level)][slot], timer);
  occupied_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << slot;
}

void TimerWheel::Append(Timer& sentinel, Timer& timer) noexcept {
  timer.previous_ = sentinel.previous_;
  timer.next_ = &sentinel;
  sentinel.previous_->next_ = &timer;
  sentinel.previous_ = &timer;
}

std::uint64_t TimerWheel::NextTickOf(int level) noexcept {
  const std::uint64_t now = tick_ >> (kBits * level);
  const auto at = static_cast<std::size_t>(level);
  for (;;) {
    // Seen from the slot behind the one of now. What is in front of it belongs to the next turn, which only the last
    // level has.
    std::uint64_t ahead = std::rotr(occupied_[at], static_cast<int>((now + 1) & (kSlots - 1)));
    if (level < kLevels - 1) ahead &= (std::uint64_t{1} << (kSlots - 1 - (now & (kSlots - 1)))) - 1;
    if (ahead == 0) return UINT64_MAX;
    const std::uint64_t next = now + 1 + static_cast<std::uint64_t>(std::countr_zero(ahead));
    const std::uint64_t slot = next & (kSlots - 1);
    if (slots_[at][slot].next_ != &slots_[at][slot]) return next << (kBits * level);
    occupied_[at] &= ~(std::uint64_t{1} << slot);
  }
}

std::uint64_t TimerWheel::NextTick() noexcept {
  // Whatever a level holds is due before all that the levels above hold.
  for (int level = 0; level < kLevels; ++level)
    if (const std::uint64_t next = NextTickOf(level); next != UINT64_MAX) return next;
  return UINT64_MAX;
}

void TimerWheel::Cascade(int level) noexcept {
  const std::uint64_t at = tick_ >> (kBits * level) & (kSlots - 1);
  occupied_[static_cast<std::size_t>(level)] &= ~(std::uint64_t{1} << at);
  Timer& slot = slots_[static_cast<std::size_t>(level)][at];
  // Detached first: a timer beyond the horizon may come back to this very slot.
  Timer* timer = slot.next_;
  slot.previous_->next_ = nullptr;
  if (timer == &slot) timer = nullptr;
  slot.previous_ = slot.next_ = &slot;
  while (timer != nullptr) {
    Timer* next = timer->next_;
    Insert(*timer);
    timer = next;
  }
}

void TimerWheel::Fire(Timer& timer) {
  if (!timer.on_fire_) {
    timer.wheel_ = nullptr;
    return;
  }
  // Called from a local: the callback may destroy, re-arm or re-target its own timer.
  auto call = std::move(timer.on_fire_);
  timer.on_fire_ = nullptr;
  running_ = &timer;
  call();
  if (running_ == nullptr) return;  // destroyed
  running_ = nullptr;
  if (!timer.armed()) timer.wheel_ = nullptr;
  if (!timer.on_fire_) timer.on_fire_ = std::move(call);
}

std::size_t TimerWheel::FireSlot() {
  Timer& slot = slots_[0][tick_ & (kSlots - 1)];
  // Moved to a list of its own first: callbacks may cancel or start any timer, also those that are about to fire.
  while (slot.next_ != &slot) {
    Timer& timer = *slot.next_;
    Unlink(timer);
    Append(firing_, timer);
  }
  std::size_t fired = 0;
  while (firing_.next_ != &firing_) {
    Timer& timer = *firing_.next_;
    Unlink(timer);
    if (timer.due_tick_ > tick_) {  // was beyond the horizon
      Insert(timer);
      continue;
    }
    --armed_;
    ++fired;
    Fire(timer);
  }
  return fired;
}

void TimerWheel::BeginRound(MonotonicTime now) noexcept { last_now_ = std::max(last_now_, now); }

std::size_t TimerWheel::Advance(MonotonicTime now) {
  BeginRound(now);
  target_ = TickOf(last_now_);
  std::size_t fired = 0;
  while (tick_ < target_) {
    const std::uint64_t next = NextTick();
    tick_ = std::min(next, target_);
    if (next > target_) break;
    for (int level = 1; level < kLevels && (tick_ & ((std::uint64_t{1} << (kBits * level)) - 1)) == 0; ++level)
      Cascade(level);
    fired += FireSlot();
  }
  return fired;
}

Duration TimerWheel::UntilNext(MonotonicTime now) noexcept {
  const std::uint64_t next = NextTick();
  if (next == UINT64_MAX) return Duration::max();
  const MonotonicTime due = start_ + kTick * static_cast<std::int64_t>(next);
  return std::max(due - now, Duration(0));
}

}  // namespace plait::io
