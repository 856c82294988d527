#include "core/xds/ignored_fields.h"

#include <algorithm>
#include <array>

namespace plait::xds {
namespace {
constexpr std::string_view kTelemetry = "names or shapes statistics only";
constexpr std::string_view kTuning = "an upper bound or hint for buffers; ours are bounded by themselves";
constexpr std::string_view kMetadata = "metadata for other filters; what Plait uses of it is read apart";

constexpr auto kIgnored = std::to_array<IgnoredField>({
    {"envoy.config.listener.v3.Listener.metadata", kMetadata},
    {"envoy.config.listener.v3.Listener.enable_reuse_port",
     "sockets are shared by workers without SO_REUSEPORT (semantics.md 8)"},
    {"envoy.config.listener.v3.Listener.tcp_backlog_size", kTuning},
    {"envoy.config.listener.v3.FilterChain.metadata", kMetadata},
    {"envoy.config.cluster.v3.Cluster.metadata", kMetadata},
    {"envoy.config.cluster.v3.Cluster.filters", "istio.metadata_exchange only: labels come from the index"},
    {"envoy.config.cluster.v3.Cluster.common_lb_config", kTuning},
    {"envoy.config.endpoint.v3.LbEndpoint.metadata", kMetadata},
    {"envoy.config.route.v3.Route.metadata", kMetadata},
    {"envoy.config.route.v3.VirtualHost.metadata", kMetadata},
    {"envoy.config.bootstrap.v3.Bootstrap.layered_runtime", "runtime keys of Envoy's own features"},
    {"envoy.config.bootstrap.v3.Bootstrap.stats_config", kTelemetry},
    {"envoy.config.bootstrap.v3.Bootstrap.stats_flush_interval", kTelemetry},
    {"envoy.config.bootstrap.v3.Bootstrap.overload_manager", kTuning},
    {"envoy.config.bootstrap.v3.Bootstrap.typed_dns_resolver_config",
     "names are resolved by the system's resolver configuration"},
    {"envoy.config.core.v3.Node.extensions", "what this program supports is known to itself"},
    {"envoy.config.core.v3.Node.client_features", "hints for the control plane"},
    {"envoy.config.bootstrap.v3.Admin.access_log_path", "deprecated log of the admin interface"},
    {"envoy.config.bootstrap.v3.Admin.profile_path", "profiles are taken with perf"},
});
}  // namespace

std::span<const IgnoredField> IgnoredFields() { return kIgnored; }

bool IsIgnored(std::string_view full_field_name) {
  return std::any_of(kIgnored.begin(), kIgnored.end(),
                     [&](const IgnoredField& f) { return f.field == full_field_name; });
}

}  // namespace plait::xds
