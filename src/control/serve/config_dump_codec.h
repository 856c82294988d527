#pragma once
// The JSON of /debug/config_dump: Envoy's shape (envoy.admin.v3.ConfigDump), as `plait pc` and istioctl read it from a
// proxy; types that Envoy does not have stand in sections of the same form. Private keys are redacted.
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/resource_provider.h"

namespace plait::control::serve {

struct DumpedType {
  std::string_view type_url;
  std::vector<ResourceRef> resources;
};
// A list of the resources alone.
std::string DumpResources(const DumpedType& type);
std::string DumpConfig(const std::vector<DumpedType>& types);

}  // namespace plait::control::serve
