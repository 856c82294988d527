#pragma once
// An HTTP connection manager, compiled: what all its connections share. Immutable; made on the main thread when a
// listener is accepted, kept alive by listeners and sessions.
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/conn/connection.h"
#include "core/xds/http_connection_manager.h"
#include "proxy/filter/http_filter.h"
#include "proxy/record/proxy_stats.h"
#include "proxy/route/route_table.h"
#include "proxy/session/compilation.h"
#include "proxy/session/failure.h"

namespace plait::proxy::record {
class AccessLogs;
}

namespace plait::proxy::session {

struct HttpConfig {
  xds::HttpConnectionManager xds;
  conn::ConnectionOptions connection;
  std::shared_ptr<const filter::HttpFilterChain> filters;
  std::shared_ptr<const record::AccessLogs> logs;  // null: none
  std::shared_ptr<const record::HttpStats> stats;
  std::shared_ptr<const route::RouteTable> routes;  // in place; null: by `rds_name`
  std::string rds_name;                             // empty and no `routes`: the session's owner knows the name
  bool suppress_envoy_headers = false;              // of the router
  bool respect_expected_rq_timeout = false;         // of the router
  Duration stream_idle_timeout{0};                  // 0: none
  Duration request_timeout{0};
  Duration max_stream_duration{0};
  Failure head_limit = Failure::kHeadTimeout;  // of those limits which one connection.head_timeout is
};

Outcome<std::shared_ptr<const HttpConfig>> CompileHttp(const xds::HttpConnectionManager& xds, const Compilation& into);

// True when the manager, or the route before it, lets this upgrade pass ("websocket"; without case).
bool AllowsUpgrade(const std::vector<xds::UpgradeConfig>& manager, const std::vector<xds::UpgradeConfig>* route,
                   std::string_view type);

}  // namespace plait::proxy::session
