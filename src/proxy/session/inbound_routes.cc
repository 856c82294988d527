#include "proxy/session/inbound_routes.h"

#include <utility>

#include "core/base/check.h"

namespace plait::proxy::session {

std::shared_ptr<const route::RouteTable> MakeInboundRoutes(std::uint16_t port, const std::string& cluster) {
  xds::WeightedCluster target;
  target.name = cluster;
  xds::RouteAction action;
  action.clusters.push_back(std::move(target));
  action.timeout = Duration(0);
  action.retry = xds::RetryPolicy{};
  action.retry->retry_on = xds::kRetryResetBeforeRequest;
  action.retry->num_retries = 2;
  xds::Route route;
  route.name = "default";
  route.action = std::move(action);
  auto config = std::make_shared<xds::RouteConfiguration>();
  const std::string text = std::to_string(port);
  config->name = "inbound|" + text + "||";
  xds::VirtualHost& host = config->virtual_hosts.emplace_back();
  host.name = "inbound|http|" + text;
  host.domains = {"*"};
  host.routes.push_back(std::move(route));
  auto compiled = route::RouteTable::Compile(std::move(config));
  PLAIT_CHECK(compiled.has_value());  // nothing in it can be refused
  return *std::move(compiled);
}

}  // namespace plait::proxy::session
