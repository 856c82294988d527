#pragma once
// Authorization of HTTP requests: 403 "RBAC: access denied" when the rules say so; shadow rules are only counted.
// Mirrors envoy.filters.http.rbac.
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/telemetry/registry.h"
#include "core/xds/http_filters.h"
#include "proxy/filter/http_filter.h"
#include "proxy/filters/rbac/engine.h"

namespace plait::proxy::filters {

struct RbacRuleSets {
  std::shared_ptr<const RbacEngine> rules;  // null: everything passes
  std::shared_ptr<const RbacEngine> shadow;
  // Keys under which the log finds what the shadow rules would have done (shadow_rules_stat_prefix).
  std::string shadow_result_key;
  std::string shadow_policy_key;
  static Outcome<RbacRuleSets> Compile(const xds::RbacFilter& config);
};

struct RbacSettings final : filter::FilterOverride {
  RbacRuleSets sets;  // empty: off for this route
};

class HttpRbac final : public filter::HttpFilter {
 public:
  static Outcome<std::unique_ptr<const filter::HttpFilter>> Compile(const xds::RbacFilter& config,
                                                                    const std::string& stat_prefix,
                                                                    telemetry::Registry& registry);
  HttpRbac(RbacRuleSets sets, std::shared_ptr<const telemetry::Group> stats)
      : sets_(std::move(sets)), stats_(std::move(stats)) {}
  filter::Verdict OnRequestHead(filter::RequestView request, const filter::FilterOverride* settings,
                                filter::FilterState& state, filter::Resume& later) const override;
  std::optional<filter::Forecast> Foresee(filter::RequestView request,
                                          const filter::FilterOverride* settings) const override;

 private:
  const RbacRuleSets& SetsFor(const filter::FilterOverride* settings) const;

  RbacRuleSets sets_;
  std::shared_ptr<const telemetry::Group> stats_;
};

Outcome<std::shared_ptr<const filter::FilterOverride>> CompileRbacOverride(const xds::RbacOverride& config);

}  // namespace plait::proxy::filters
