#pragma once
// SIGTERM and SIGINT as an event of a loop, and SIGPIPE ignored: how the processes are asked to end. Make it before
// other threads start, so that they inherit the blocked signals. One loop thread.
#include <functional>

#include "core/io/loop.h"
#include "core/io/unique_fd.h"

namespace plait::io {

class StopSignal final : private FdEvents {
 public:
  StopSignal(Loop& loop, std::move_only_function<void()> on_stop);  // called at each signal
  ~StopSignal() override;

 private:
  void OnFdReady(std::uint32_t events) override;
  Loop& loop_;
  std::move_only_function<void()> on_stop_;
  UniqueFd fd_;
};

}  // namespace plait::io
