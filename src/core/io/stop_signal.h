#pragma once
// SIGTERM and SIGINT as an event of a loop, and SIGPIPE ignored: how the processes are asked to end. Make it before
// other threads start, so that they inherit the blocked signals. SIGUSR2 says to who takes it that another process has
// its sockets from now on. One loop thread.
#include <functional>

#include "core/io/loop.h"
#include "core/io/unique_fd.h"

namespace plait::io {

class StopSignal final : private FdEvents {
 public:
  // Called at each signal. Without `on_successor` SIGUSR2 is left as it is.
  StopSignal(Loop& loop, std::move_only_function<void()> on_stop, std::move_only_function<void()> on_successor = {});
  ~StopSignal() override;

 private:
  void OnFdReady(std::uint32_t events) override;
  Loop& loop_;
  std::move_only_function<void()> on_stop_;
  std::move_only_function<void()> on_successor_;
  UniqueFd fd_;
};

}  // namespace plait::io
