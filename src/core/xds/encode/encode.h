#pragma once
// From xDS structs to the bytes that ADS carries: the inverse of the decoders of core/xds. Only the control plane needs
// it, so it is a library of its own. Pure; equal structs give equal bytes (maps are written in the order of their
// keys). What has Envoy's default is left out.
#include <cstdint>
#include <string>

#include "core/xds/address_index.h"
#include "core/xds/cluster.h"
#include "core/xds/endpoint.h"
#include "core/xds/listener.h"
#include "core/xds/plait_forms.h"
#include "core/xds/route.h"
#include "core/xds/secret.h"

namespace plait::xds {

std::string Encode(const Listener& listener);
std::string Encode(const RouteConfiguration& routes);
// `bind_mark`: SO_MARK of connections from `bind_address`, for a proxy that does not set it by itself (Envoy's
// upstream_bind_config.socket_options); 0: none.
std::string Encode(const Cluster& cluster, std::uint32_t bind_mark = 0);
std::string Encode(const ClusterLoadAssignment& endpoints);
std::string Encode(const Secret& secret);
std::string Encode(const L4Routes& routes);
std::string Encode(const Address& address);  // with Plait's extensions

}  // namespace plait::xds
