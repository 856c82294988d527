#pragma once
// Passive health checking: hosts that fail in a row, or much more often than their peers, are left out for a while.
// Workers count on the hosts' atomics; ejecting and readmitting happens on the main thread, over all workers' results.
// Mirrors Envoy's outlier detection (consecutive 5xx, gateway and local-origin failures, success rate).
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/random.h"
#include "core/io/loop.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/cluster.h"

namespace plait::proxy::cluster {

class OutlierDetector : public std::enable_shared_from_this<OutlierDetector> {
 public:
  // `changed`: a host was ejected or readmitted; make a new snapshot. Main thread, as all but the Report functions.
  // `state` owns this and outlives it.
  OutlierDetector(io::Loop& main, const ClusterState& state, std::function<void()> changed);

  // nullopt: off; ejected hosts come back.
  void Configure(const std::optional<xds::OutlierDetection>& config);
  void SetHosts(std::vector<std::shared_ptr<Host>> hosts);

  // Any worker.
  void Answered(const Host& host, std::uint16_t status) noexcept;
  void FailedLocally(const Host& host, LocalFailure failure) noexcept;
  void Connected(const Host& host) noexcept;
  // A connection for requests: their answers count, so it only ends a row of local failures.
  void ConnectedForRequests(const Host& host) noexcept;

 private:
  enum class Reason : std::uint8_t { kConsecutive5xx, kGateway, kLocal, kSuccessRate };
  void Count(const Host& host, bool failed, bool gateway) noexcept;
  void Bump(std::atomic<std::uint32_t>& count, const std::atomic<std::uint32_t>& limit, const Host& host,
            Reason reason) noexcept;
  void Ask(const Host& host, Reason reason) noexcept;  // to the main thread
  Duration Jitter();
  void Eject(const Host* host, Reason reason);
  void OnInterval();
  bool EjectBySuccessRate();
  std::size_t EjectedCount() const;

  io::Loop& main_;
  const ClusterState& state_;
  std::function<void()> changed_;
  // Thresholds as workers read them; UINT32_MAX: never.
  std::atomic<bool> on_{false};
  std::atomic<bool> split_{false};
  std::atomic<std::uint32_t> limit_5xx_{UINT32_MAX};
  std::atomic<std::uint32_t> limit_gateway_{UINT32_MAX};
  std::atomic<std::uint32_t> limit_local_{UINT32_MAX};
  // Main thread.
  std::optional<xds::OutlierDetection> config_;
  std::vector<std::shared_ptr<Host>> hosts_;
  Random random_;
  io::Timer interval_;
};

}  // namespace plait::proxy::cluster
