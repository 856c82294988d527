#pragma once
// Envoy's counters of answers by status that exist from the first such answer on: upstream_rq_<code> of a cluster, and
// all that count answers which were not passed on, but made the request go to another host (retry.upstream_rq_<code>,
// retry.upstream_rq_<class>, retry.upstream_rq_completed). Any thread; no lock but the registry's, and that when a
// counter is made.
#include <atomic>
#include <cstdint>

#include "core/telemetry/registry.h"

namespace plait::proxy::cluster {

class ResponseCodes {
 public:
  // `registry` and `labels`, those of the cluster's other statistics, outlive it.
  ResponseCodes(telemetry::Registry& registry, const telemetry::Labels& labels)
      : registry_(registry), labels_(labels) {}
  ~ResponseCodes();
  ResponseCodes(const ResponseCodes&) = delete;
  ResponseCodes& operator=(const ResponseCodes&) = delete;

  // `status`: others than 100..599 have no counters. O(counters so far), which are few.
  void Count(std::uint16_t status) noexcept { Add(status, /*retried=*/false); }
  void CountRetried(std::uint16_t status) noexcept;

 private:
  struct Counter;
  void Add(std::uint16_t what, bool retried) noexcept;
  telemetry::Registry& registry_;
  const telemetry::Labels& labels_;
  std::atomic<Counter*> first_{nullptr};  // a list that only grows
};

}  // namespace plait::proxy::cluster
