#pragma once
// Fault injection: a share of requests is delayed (flag DI) or answered with an error (flag FI, details
// fault_filter_abort). Mirrors envoy.filters.http.fault.
#include <memory>
#include <string>
#include <vector>

#include "core/base/limit.h"
#include "core/base/result.h"
#include "core/telemetry/registry.h"
#include "core/xds/http_filters.h"
#include "proxy/filter/http_filter.h"
#include "proxy/match/string_match.h"

namespace plait::proxy::filters {

// One set of settings, of the filter or of a route (which replaces the filter's as a whole).
struct FaultSettings final : filter::FilterOverride {
  xds::FaultPolicy policy;
  std::vector<match::HeaderMatch> headers;
  static Outcome<std::shared_ptr<const FaultSettings>> Compile(const xds::FaultPolicy& policy);
  bool AppliesTo(const filter::RequestView& request) const;
};

enum FaultStat : std::size_t { kDelaysInjected, kAbortsInjected, kFaultsOverflow, kActiveFaults };

class Fault final : public filter::HttpFilter {
 public:
  static Outcome<std::unique_ptr<const filter::HttpFilter>> Compile(const xds::FaultPolicy& policy,
                                                                    const std::string& stat_prefix,
                                                                    telemetry::Registry& registry);
  Fault(std::shared_ptr<const FaultSettings> own, std::shared_ptr<const telemetry::Group> stats)
      : own_(std::move(own)), stats_(std::move(stats)) {}
  filter::Verdict OnRequestHead(filter::RequestView request, const filter::FilterOverride* settings,
                                filter::FilterState& state, filter::Resume& later) const override;
  std::optional<filter::Forecast> Foresee(filter::RequestView request,
                                          const filter::FilterOverride* settings) const override;

 private:
  const FaultSettings& SettingsFor(const filter::FilterOverride* settings) const;
  struct Delayed;
  // The abort that `settings` demands of this request, or Continue. `active`: it is part of a fault that was counted.
  filter::Verdict MaybeAbort(const FaultSettings& settings, filter::RequestView request, bool active) const;
  bool TakeActive(const FaultSettings& settings) const noexcept;

  std::shared_ptr<const FaultSettings> own_;
  std::shared_ptr<const telemetry::Group> stats_;
  mutable Limit active_;  // delays that run now, over all workers (max_active_faults)
};

}  // namespace plait::proxy::filters
