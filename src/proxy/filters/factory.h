#pragma once
// Compiles filter configurations. Strict: what cannot be evaluated exactly is an error, so the resource that carries it
// is refused (fails closed). Main thread; the results are immutable.
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/xds/http_filters.h"
#include "core/xds/route.h"
#include "proxy/filter/http_filter.h"

namespace plait::telemetry {
class Registry;
}

namespace plait::proxy::filters {

// `stat_prefix`: of the connection manager ("inbound_0.0.0.0_80": http.<prefix>.rbac.allowed). The router is left out;
// the connection manager is the router.
Outcome<std::shared_ptr<const filter::HttpFilterChain>> CompileChain(const std::vector<xds::HttpFilter>& filters,
                                                                     const std::string& stat_prefix,
                                                                     telemetry::Registry& registry);

// Per-route settings, most specific first; the first that names a filter wins.
Outcome<filter::FilterOverrides> CompileOverrides(const std::vector<const xds::PerFilterConfig*>& levels);

}  // namespace plait::proxy::filters
