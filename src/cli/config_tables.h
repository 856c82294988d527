#pragma once
// Tables of `plait pc` out of resources of a /config_dump (config_dump.h), in istioctl's columns; `wide` has more.
// Pure.
#include <string>

#include "cli/render.h"

namespace plait::cli {

// `what`: cluster, listener, route, endpoint, secret.
Table ConfigTable(const std::string& what, const Json& resources);
Table BootstrapTable(const Json& bootstrap);

}  // namespace plait::cli
