#include "core/io/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/check.h"
#include "core/io/unique_fd.h"

namespace plait::io {
namespace {
constexpr int kEventsARound = 256;

class DelayedCall final : public Pending::Operation {
 public:
  DelayedCall(TimerWheel& wheel, Duration delay, std::move_only_function<void()> call) : timer_(std::move(call)) {
    timer_.Start(wheel, delay);
  }

 private:
  Timer timer_;
};
}  // namespace

struct Loop::State {
  explicit State(const Clock& the_clock) : clock(the_clock), wheel(the_clock.Now()) {}

  const Clock& clock;
  TimerWheel wheel;
  UniqueFd epoll, wake;
  std::array<epoll_event, kEventsARound> events;
  int event_count = 0;  // of the round that runs; Unwatch blanks what is stale
  int event_next = 0;
  std::vector<std::move_only_function<void()>> deferred;
  std::thread::id thread = std::this_thread::get_id();
  std::atomic<bool> stop = false;

  // The only state that other threads touch. Locked once a posting and once a round that was woken for it.
  std::mutex mutex;
  std::vector<std::move_only_function<void()>> posted;

  void Wake() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake.get(), &one, sizeof one);
  }
  void RunPosted();
  void RunDeferred();
  void Dispatch();
};

namespace {
// The limit is the user's to raise, so this is told and is no failed check; without a loop nothing can go on.
[[noreturn]] void EndWithoutDescriptors() {
  std::fprintf(stderr,
               "error: no file descriptor is left for an event loop: %s\n"
               "  try: raise the limit of open files (ulimit -n), or run fewer threads (--concurrency of a proxy)\n",
               std::strerror(errno));
  std::_Exit(1);
}
}  // namespace

Loop::Loop(const Clock& clock) : state_(std::make_unique<State>(clock)), now_(clock.Now()) {
  state_->epoll = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  state_->wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state_->epoll || !state_->wake) EndWithoutDescriptors();
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  PLAIT_CHECK(epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, state_->wake.get(), &event) == 0);
}

Loop::~Loop() {
  // Deferred deaths still happen, and what they defer in turn.
  while (!state_->deferred.empty()) state_->RunDeferred();
}

void Loop::State::RunPosted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(wake.get(), &count, sizeof count);
  std::vector<std::move_only_function<void()>> calls;
  {
    const std::lock_guard lock(mutex);
    calls.swap(posted);
  }
  for (auto& call : calls) call();
}

void Loop::State::RunDeferred() {
  std::vector<std::move_only_function<void()>> calls;
  calls.swap(deferred);
  for (auto& call : calls) call();
}

void Loop::State::Dispatch() {
  bool posted_calls = false;
  for (event_next = 0; event_next < event_count;) {
    const epoll_event event = events[static_cast<std::size_t>(event_next++)];
    if (event.events == 0) continue;  // unwatched in this round
    if (event.data.ptr == nullptr)
      posted_calls = true;
    else
      static_cast<FdEvents*>(event.data.ptr)->OnFdReady(event.events);
  }
  event_count = 0;
  if (posted_calls) RunPosted();
}

void Loop::RunOnce(Duration max_wait) {
  State& s = *state_;
  now_ = s.clock.Now();
  Duration wait = std::min(max_wait, s.wheel.UntilNext(now_));
  if (!s.deferred.empty()) wait = Duration(0);
  // Rounded up: waking a fraction of a millisecond early would spin until the tick is there.
  const auto millis = wait == Duration::max()
                          ? -1
                          : static_cast<int>(std::min<std::int64_t>(
                                std::chrono::ceil<std::chrono::milliseconds>(wait).count(), 3'600'000));
  const int n = epoll_wait(s.epoll.get(), s.events.data(), kEventsARound, millis);
  PLAIT_CHECK(n >= 0 || errno == EINTR);
  s.event_count = std::max(n, 0);
  now_ = s.clock.Now();
  s.wheel.BeginRound(now_);
  s.Dispatch();
  s.wheel.Advance(now_);
  s.RunDeferred();
}

void Loop::Run() {
  state_->thread = std::this_thread::get_id();
  while (!state_->stop.exchange(false)) RunOnce(Duration::max());
}

bool Loop::RunUntil(const std::function<bool()>& done, Duration limit) {
  state_->thread = std::this_thread::get_id();
  const MonotonicTime end = SystemClock().Now() + limit;
  while (!done()) {
    const Duration left = end - SystemClock().Now();
    if (left <= Duration(0)) return false;
    RunOnce(std::min<Duration>(left, std::chrono::milliseconds(100)));
  }
  return true;
}

void Loop::Stop() noexcept {
  state_->stop = true;
  state_->Wake();
}

void Loop::Watch(int fd, FdEvents& sink, std::uint32_t events) {
  epoll_event event{.events = events | EPOLLET, .data = {.ptr = &sink}};
  PLAIT_CHECK(epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::Rewatch(int fd, FdEvents& sink, std::uint32_t events) {
  epoll_event event{.events = events | EPOLLET, .data = {.ptr = &sink}};
  PLAIT_CHECK(epoll_ctl(state_->epoll.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::Unwatch(int fd, FdEvents& sink) noexcept {
  epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  // What the kernel already reported for it in this round must not reach a dead sink.
  for (int i = state_->event_next; i < state_->event_count; ++i) {
    epoll_event& event = state_->events[static_cast<std::size_t>(i)];
    if (event.data.ptr == &sink) event.events = 0;
  }
}

void Loop::Defer(std::move_only_function<void()> call) { state_->deferred.push_back(std::move(call)); }

void Loop::Post(std::move_only_function<void()> call) {
  bool first = false;
  {
    const std::lock_guard lock(state_->mutex);
    first = state_->posted.empty();
    state_->posted.push_back(std::move(call));
  }
  if (first) state_->Wake();
}

Pending Loop::After(Duration delay, std::move_only_function<void()> call) {
  return Pending(std::make_unique<DelayedCall>(state_->wheel, delay, std::move(call)));
}

const Clock& Loop::clock() const noexcept { return state_->clock; }
TimerWheel& Loop::timers() noexcept { return state_->wheel; }
bool Loop::on_this_thread() const noexcept { return state_->thread == std::this_thread::get_id(); }

}  // namespace plait::io
