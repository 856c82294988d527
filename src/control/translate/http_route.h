#pragma once
// One http rule of a VirtualService as Envoy routes.
#include <string>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/route.h"

namespace plait::control::translate {

struct RouteScope {
  const model::Proxy& proxy;
  const model::Snapshot& snapshot;
  std::string_view gateway;  // "mesh", or namespace/name
  std::uint16_t port = 0;    // of the request
};

// The routes of a VirtualService for this client; empty when no rule is for it.
std::vector<xds::Route> HttpRoutes(const RouteScope& scope, const model::VirtualService& service);
// To a service port, without any rule: Istio's "default" route.
xds::Route DefaultRoute(const RouteScope& scope, const model::ServiceView& service, const model::ServicePort& port);

}  // namespace plait::control::translate
