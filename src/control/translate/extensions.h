#pragma once
// Extensions that a stock Envoy does not have: sent only to a client that lists them in its first request
// (node.extensions, semantics.md 10). Pure.
#include <array>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/listener.h"

namespace plait::control::translate {

// Type URLs of their configurations, sorted.
inline constexpr std::string_view kGrpcStats =
    "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig";
inline constexpr std::string_view kIstioAlpn =
    "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig";
inline constexpr std::string_view kIstioStats = "type.googleapis.com/stats.PluginConfig";
inline constexpr std::array kOptionalExtensions = {kGrpcStats, kIstioAlpn, kIstioStats};

// Those of kOptionalExtensions that are in a client's list.
std::vector<std::string> OptionalExtensionsOf(const std::vector<std::string>& listed);
// A plait-proxy knows them all.
bool Knows(const model::Proxy& proxy, std::string_view type_url);
// They observe or choose a name; what a filter would refuse is never decided by one that is left out.
void LeaveOutUnknown(const model::Proxy& proxy, std::vector<xds::Listener>& listeners);

}  // namespace plait::control::translate
