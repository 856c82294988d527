#include "proxy/session/http_config.h"

#include <algorithm>
#include <utility>

#include "core/base/strings.h"
#include "proxy/filters/factory.h"
#include "proxy/record/access_log.h"

namespace plait::proxy::session {
namespace {

conn::ConnectionOptions ConnectionOptionsOf(const xds::HttpConnectionManager& xds) {
  conn::ConnectionOptions options;
  options.codec.max_header_bytes = xds.max_request_headers_kb * std::size_t{1024};
  options.codec.max_header_count = xds.common.max_headers_count.value_or(100);
  if (xds.server_header != xds::HttpConnectionManager::ServerHeader::kPassThrough)
    options.codec.server_name = xds.server_name;
  options.codec.via = xds.via;
  options.codec.enable_trailers = xds.http1.enable_trailers;
  using Underscores = http::CodecOptions::Underscores;
  options.codec.underscores = static_cast<Underscores>(xds.common.underscores);
  options.codec.require_host = false;  // answered with the manager's headers, and logged as a request
  options.codec.max_concurrent_streams = xds.http2.max_concurrent_streams.value_or(1024);
  options.codec.stream_window = xds.http2.initial_stream_window_size.value_or(options.codec.stream_window);
  options.codec.connection_window = xds.http2.initial_connection_window_size.value_or(options.codec.connection_window);
  options.codec.enable_connect_protocol = xds.http2.allow_connect;
  options.idle_timeout = xds.common.idle_timeout.value_or(std::chrono::hours(1));
  options.drain_timeout = xds.drain_timeout;
  options.close_timeout = xds.delayed_close_timeout;
  using Codec = xds::HttpConnectionManager::Codec;
  if (xds.codec == Codec::kHttp1) options.protocol = conn::Protocol::kHttp1;
  if (xds.codec == Codec::kHttp2) options.protocol = conn::Protocol::kHttp2;
  return options;
}

// The head of a request counts against every limit of its stream, from its first byte on. That of idle streams too:
// only a whole head ends it, as in Envoy.
void LimitHeads(HttpConfig& config) {
  const std::pair<Duration, Failure> limits[] = {
      {config.request_timeout, Failure::kRequestTimeout},
      {config.max_stream_duration, Failure::kMaxStreamDuration},
      {config.xds.request_headers_timeout.value_or(Duration(0)), Failure::kHeadTimeout},
      {config.stream_idle_timeout, Failure::kStreamIdle},
  };
  Duration& least = config.connection.head_timeout;
  for (const auto& [limit, failure] : limits) {
    if (limit <= Duration(0) || (least > Duration(0) && least <= limit)) continue;
    least = limit;
    config.head_limit = failure;
  }
  config.connection.head_timeout_body = FactsOf(config.head_limit).body;
}

}  // namespace

Outcome<std::shared_ptr<const HttpConfig>> CompileHttp(const xds::HttpConnectionManager& xds, const Compilation& into) {
  auto config = std::make_shared<HttpConfig>();
  config->xds = xds;
  config->connection = ConnectionOptionsOf(xds);
  config->stats = std::make_shared<const record::HttpStats>(into.registry, xds.stat_prefix, into.listener);
  auto filters = filters::CompileChain(xds.filters, xds.stat_prefix, into.registry);
  if (!filters) return std::unexpected(filters.error());
  config->filters = std::move(*filters);
  if (!xds.access_logs.empty()) {
    auto logs = record::AccessLogs::Compile(xds.access_logs, into.logs);
    if (!logs) return std::unexpected(logs.error());
    config->logs = std::move(*logs);
  }
  if (const auto* table = std::get_if<xds::RouteConfiguration>(&xds.routes)) {
    auto routes = route::RouteTable::Compile(std::make_shared<const xds::RouteConfiguration>(*table));
    if (!routes) return std::unexpected(routes.error());
    config->routes = std::move(*routes);
  } else {
    config->rds_name = std::get<xds::RdsRef>(xds.routes).name;
  }
  for (const xds::HttpFilter& filter : xds.filters) {
    if (const auto* router = std::get_if<xds::RouterFilter>(&filter.config)) {
      config->suppress_envoy_headers = router->suppress_envoy_headers;
      config->respect_expected_rq_timeout = router->respect_expected_rq_timeout;
    }
  }
  config->stream_idle_timeout = xds.stream_idle_timeout.value_or(std::chrono::minutes(5));
  config->request_timeout = xds.request_timeout.value_or(Duration(0));
  config->max_stream_duration = xds.common.max_stream_duration.value_or(Duration(0));
  LimitHeads(*config);
  return config;
}

bool AllowsUpgrade(const std::vector<xds::UpgradeConfig>& manager, const std::vector<xds::UpgradeConfig>* route,
                   std::string_view type) {
  const auto find = [&](const std::vector<xds::UpgradeConfig>& list) -> const xds::UpgradeConfig* {
    const auto found = std::find_if(list.begin(), list.end(), [&](const xds::UpgradeConfig& upgrade) {
      return EqualsIgnoreCase(upgrade.type, type);
    });
    return found == list.end() ? nullptr : &*found;
  };
  if (const auto* of_route = route != nullptr ? find(*route) : nullptr) return of_route->enabled;
  const auto* of_manager = find(manager);
  return of_manager != nullptr && of_manager->enabled;
}

}  // namespace plait::proxy::session
