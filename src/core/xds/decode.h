#pragma once
// From accepted bytes to values: what the data plane does with a resource that arrived. Strict: a field that is set and
// not implemented is an error that names resource and field (the text of the NACK).
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/xds/address_index.h"
#include "core/xds/bootstrap.h"
#include "core/xds/cluster.h"
#include "core/xds/endpoint.h"
#include "core/xds/listener.h"
#include "core/xds/plait_forms.h"
#include "core/xds/route.h"
#include "core/xds/secret.h"

namespace plait::xds {

Outcome<Listener> DecodeListener(std::string_view bytes);
Outcome<RouteConfiguration> DecodeRouteConfiguration(std::string_view bytes);
Outcome<Cluster> DecodeCluster(std::string_view bytes);
Outcome<ClusterLoadAssignment> DecodeClusterLoadAssignment(std::string_view bytes);
Outcome<Secret> DecodeSecret(std::string_view bytes);
Outcome<L4Routes> DecodeL4Routes(std::string_view bytes);
Outcome<Address> DecodeAddress(std::string_view bytes);

// Unknown field numbers in dynamic resources since the process began (server.dynamic_unknown_fields). Any thread.
std::uint64_t DynamicUnknownFields() noexcept;

// An Envoy v3 bootstrap as YAML or JSON text; `file` names it in errors (file:line:column for what the YAML reader
// finds).
Outcome<Bootstrap> ReadBootstrap(std::string_view text, const std::string& file);
// `more`: --config-yaml, merged over the file as Envoy does it: single fields replace, lists go on. Empty: nothing.
Outcome<Bootstrap> ReadBootstrapFile(const std::string& path, std::string_view more = {});

}  // namespace plait::xds
