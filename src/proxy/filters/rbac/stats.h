#pragma once
// Statistics of the RBAC filters: http.<prefix>.rbac.allowed and <prefix>rbac.allowed, as Envoy's.
#include <array>

#include "core/telemetry/registry.h"

namespace plait::proxy::filters {
enum RbacStat : std::size_t { kRbacAllowed, kRbacDenied, kRbacShadowAllowed, kRbacShadowDenied };
inline constexpr std::array<telemetry::StatDef, 4> kRbacStats = {{{.name = "rbac.allowed"},
                                                                  {.name = "rbac.denied"},
                                                                  {.name = "rbac.shadow_allowed"},
                                                                  {.name = "rbac.shadow_denied"}}};
inline constexpr std::array<std::string_view, 1> kHttpRbacLabels = {"http_conn_manager_prefix"};
inline constexpr std::array<std::string_view, 1> kNetworkRbacLabels = {"tcp_prefix"};
inline constexpr telemetry::Schema kHttpRbacSchema{"http.", "envoy_http_", kHttpRbacLabels, kRbacStats};
inline constexpr telemetry::Schema kNetworkRbacSchema{"tcp.", "envoy_tcp_", kNetworkRbacLabels, kRbacStats};
}  // namespace plait::proxy::filters
