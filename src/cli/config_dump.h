#pragma once
// Tables of `plait pc` out of a proxy's /config_dump (Envoy's JSON shape, admin/v3/config_dump.proto), in istioctl's
// columns. Pure.
#include <string>

#include "cli/render.h"

namespace plait::cli {

// The part of the dump that `what` (cluster, listener, route, endpoint, secret) is about, as a list of resources:
// static and dynamic, active ones.
Json ResourcesOf(const Json& dump, const std::string& what);
Table ConfigTable(const std::string& what, const Json& resources);

}  // namespace plait::cli
