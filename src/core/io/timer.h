#pragma once
// A hierarchical timer wheel (resolution 1 ms, O(1) start and cancel) and the intrusive timer that lives in it.
// A timer never fires early, counted from the beginning of the loop's round in which it is started (Loop::Now();
// outside of rounds: of the last one); at most one resolution step late plus the round that is running.
#include <array>
#include <cstdint>
#include <functional>

#include "core/base/time.h"

namespace plait::io {
class TimerWheel;

// Embed one for each kind of time-out. Destroying or cancelling it is O(1) and always safe, also inside callbacks.
class Timer {
 public:
  Timer() = default;
  explicit Timer(std::move_only_function<void()> on_fire) : on_fire_(std::move(on_fire)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  void SetCallback(std::move_only_function<void()> on_fire) { on_fire_ = std::move(on_fire); }
  // (Re)starts: fires once after `delay` (<= 0: in the next round).
  void Start(TimerWheel& wheel, Duration delay);
  void Cancel() noexcept;
  bool armed() const noexcept { return previous_ != nullptr; }

 private:
  friend class TimerWheel;
  Timer* previous_ = nullptr;  // doubly linked, circular through the slot's sentinel
  Timer* next_ = nullptr;
  TimerWheel* wheel_ = nullptr;  // while armed or firing
  std::uint64_t due_tick_ = 0;
  std::move_only_function<void()> on_fire_;
};

class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(1);
  explicit TimerWheel(MonotonicTime start);
  ~TimerWheel();

  // Timers that are started from here on count from `now`.
  void BeginRound(MonotonicTime now) noexcept;
  // Fires what is due at `now`; returns how many fired.
  std::size_t Advance(MonotonicTime now);
  // How long the loop may sleep; Duration::max() when no timer is armed. May be early (a cascade: at most once a level
  // for each timer), never late.
  Duration UntilNext(MonotonicTime now) noexcept;
  std::size_t armed_count() const noexcept { return armed_; }

 private:
  friend class Timer;
  static constexpr int kLevels = 5;
  static constexpr int kBits = 6;  // 64 slots a level: 64 ms, 4 s, 4.4 min, 4.7 h, 12.4 days
  static constexpr std::size_t kSlots = 1U << kBits;

  void Insert(Timer& timer) noexcept;
  // The next tick at which a slot has to be visited; UINT64_MAX: there is none.
  std::uint64_t NextTick() noexcept;
  std::uint64_t NextTickOf(int level) noexcept;
  void Cascade(int level) noexcept;
  std::size_t FireSlot();
  void Fire(Timer& timer);
  static void Append(Timer& sentinel, Timer& timer) noexcept;
  static void Unlink(Timer& timer) noexcept;
  std::uint64_t TickOf(MonotonicTime time) const noexcept;

  MonotonicTime start_;
  std::uint64_t tick_ = 0;
  std::uint64_t target_ = 0;  // of the Advance that runs, or ran last
  MonotonicTime last_now_;
  std::size_t armed_ = 0;
  std::array<std::array<Timer, kSlots>, kLevels> slots_;  // sentinels
  std::array<std::uint64_t, kLevels> occupied_{};         // a bit a slot; also of slots whose timers were cancelled
  Timer firing_;                                          // sentinel of those that are due in the tick at hand
  Timer* running_ = nullptr;                              // whose callback runs; null once that timer was destroyed
};
}  // namespace plait::io
