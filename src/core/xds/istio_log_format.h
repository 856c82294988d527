#pragma once
// Istio's access log formats, where MeshConfig.accessLogFormat is empty (istio-interfaces.md 1.6).
#include <string_view>

#include "core/xds/json_format.h"

namespace plait::xds {

// With a line feed.
extern const std::string_view kIstioFormat;
// Of accessLogEncoding JSON.
const JsonFormat& IstioJsonFormat();

}  // namespace plait::xds
