#pragma once
// Cross-origin requests: answers preflights of allowed origins and adds the access-control fields to responses. The
// policy is the route's or virtual host's; without one the filter does nothing. Mirrors envoy.filters.http.cors.
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/telemetry/registry.h"
#include "core/xds/http_filters.h"
#include "proxy/filter/http_filter.h"
#include "proxy/match/string_match.h"

namespace plait::proxy::filters {

struct CorsSettings final : filter::FilterOverride {
  xds::CorsPolicy policy;
  std::vector<match::StringMatch> origins;
  static Outcome<std::shared_ptr<const CorsSettings>> Compile(const xds::CorsPolicy& policy);
  bool Allows(std::string_view origin) const;
};

class Cors final : public filter::HttpFilter {
 public:
  Cors(const std::string& stat_prefix, telemetry::Registry& registry);
  filter::Verdict OnRequestHead(filter::RequestView request, const filter::FilterOverride* settings,
                                filter::FilterState& state, filter::Resume& later) const override;
  void OnResponseHead(filter::RequestView request, http::ResponseHead& head, const filter::FilterOverride* settings,
                      filter::FilterState& state) const override;

 private:
  struct Origin;
  std::shared_ptr<const telemetry::Group> stats_;
};

}  // namespace plait::proxy::filters
