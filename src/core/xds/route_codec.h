#pragma once
// Decoder of route configurations. Internal to core/xds.
#include "core/xds/decode_context.h"
#include "core/xds/route.h"

namespace envoy::config::route::v3 {
class RouteConfiguration;
}

namespace plait::xds {
RouteConfiguration DecodeRoutes(const envoy::config::route::v3::RouteConfiguration& in, DecodeContext& context);
}
