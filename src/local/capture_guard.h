#pragma once
// Keeps the capture rules of one workload in the kernel: looks whenever nftables says that rules in its network have
// changed, and has them loaded again when that was somebody else. One that cannot be mended is cut off and tried again
// each second. Owned by the Pod; one loop thread. Costs nothing while nothing changes.
#include <functional>
#include <string>

#include "core/io/loop.h"
#include "core/io/timer.h"
#include "local/pod_network.h"

namespace plait::local {

class CaptureGuard final : private io::FdEvents {
 public:
  // `network` has a rules_monitor; it and `networks` outlive this. `workload` is for the log. `on_change`: the network
  // has been cut off, or is no more. `on_loaded`: the rules have been loaded again.
  CaptureGuard(io::Loop& loop, PodNetworks& networks, PodNetwork& network, std::string workload,
               std::function<void()> on_change, std::function<void()> on_loaded);
  ~CaptureGuard() override;

 private:
  void OnFdReady(std::uint32_t events) override;
  void Look();

  io::Loop& loop_;
  PodNetworks& networks_;
  PodNetwork& network_;
  const std::string workload_;
  std::function<void()> on_change_;
  std::function<void()> on_loaded_;
  MonotonicTime next_look_;
  io::Timer look_;
};

}  // namespace plait::local
