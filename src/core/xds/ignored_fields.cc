#include "core/xds/ignored_fields.h"

#include <algorithm>
#include <array>

namespace plait::xds {
namespace {
constexpr std::string_view kTelemetry = "names or shapes statistics only";
constexpr std::string_view kTuning = "an upper bound or hint for buffers; ours are bounded by themselves";
constexpr std::string_view kMetadata = "data for filters and loggers; what Plait uses of it is read by name";
constexpr std::string_view kEnvoyInside = "steers Envoy's own implementation";

constexpr auto kIgnored = std::to_array<IgnoredField>({
    {"envoy.config.listener.v3.Listener.metadata", kMetadata},
    {"envoy.config.listener.v3.Listener.enable_reuse_port",
     "sockets are shared by workers without SO_REUSEPORT (semantics.md 8)"},
    {"envoy.config.listener.v3.Listener.drain_type",
     "a changed listener never drains what it does not forbid (semantics.md 5)"},
    {"envoy.config.listener.v3.FilterChain.metadata", kMetadata},
    {"envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector.initial_read_buffer_size", kTuning},
    {"envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector.enable_ja3_fingerprinting", kTelemetry},
    {"envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector.enable_ja4_fingerprinting", kTelemetry},
    {"envoy.config.cluster.v3.Cluster.metadata", kMetadata},
    {"envoy.config.cluster.v3.Cluster.filters",
     "istio.metadata_exchange, all others are refused: labels come from the index"},
    {"envoy.config.cluster.v3.Cluster.typed_dns_resolver_config", "names are resolved by the host's resolvers"},
    {"envoy.config.cluster.v3.Cluster.track_cluster_stats", kTelemetry},
    {"envoy.config.endpoint.v3.LbEndpoint.metadata", kMetadata},
    {"envoy.config.endpoint.v3.LocalityLbEndpoints.metadata", kMetadata},
    {"envoy.config.endpoint.v3.LocalityLbEndpoints.proximity", "not used by any balancer of Envoy either"},
    {"envoy.config.route.v3.Route.metadata", kMetadata},
    {"envoy.config.route.v3.Route.stat_prefix", kTelemetry},
    {"envoy.config.route.v3.VirtualHost.metadata", kMetadata},
    {"envoy.config.route.v3.VirtualHost.virtual_clusters", kTelemetry},
    {"envoy.config.route.v3.RouteConfiguration.metadata", kMetadata},
    {"envoy.config.route.v3.WeightedCluster.runtime_key_prefix", "Plait has no runtime layers: the weights stand"},
    {"envoy.config.core.v3.Http1ProtocolOptions.use_balsa_parser", kEnvoyInside},
    {"envoy.config.core.v3.Http2ProtocolOptions.use_oghttp2_codec", kEnvoyInside},
    {"envoy.config.core.v3.Http2ProtocolOptions.max_outbound_frames", kTuning},
    {"envoy.config.core.v3.Http2ProtocolOptions.max_outbound_control_frames", kTuning},
    {"envoy.extensions.filters.http.fault.v3.HTTPFault.disable_downstream_cluster_stats", kTelemetry},
    {"envoy.extensions.filters.http.rbac.v3.RBAC.track_per_rule_stats", kTelemetry},
    {"istio.workload.Workload.authorization_policies",
     "names of policies for ztunnel; a sidecar's come in its listeners"},
    {"istio.workload.Workload.native_tunnel",
     "tunnels (HBONE) are not spoken; mutual TLS is used as the extension says"},
    {"istio.workload.Service.load_balancing", "how ztunnel balances; a sidecar's clusters say it themselves"},
    {"istio.workload.Service.visibility", "for the control plane: it sends only what this proxy may see"},
    {"stats.PluginConfig.debug", kTelemetry},
    {"stats.PluginConfig.max_peer_cache_size", kTuning},
    {"stats.PluginConfig.reporter", "which labels are whose follows from the listener's direction"},
    {"stats.PluginConfig.tcp_reporting_duration", "TCP counters are exact at every scrape"},
    {"envoy.tcp.metadataexchange.config.MetadataExchange.enable_discovery", "labels of a peer come from the index"},
    {"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig.alpn_override",
     "Plait's own ALPN rule is the same (semantics.md 3)"},
    {"envoy.config.bootstrap.v3.Bootstrap.layered_runtime", "layers and keys that could have an effect are refused"},
    {"envoy.config.bootstrap.v3.Bootstrap.stats_config", kTelemetry},
    {"envoy.config.bootstrap.v3.Bootstrap.typed_dns_resolver_config", "names are resolved by the host's resolvers"},
    {"envoy.config.bootstrap.v3.Bootstrap.default_regex_engine", "RE2, as Envoy's default"},
    {"envoy.config.core.v3.Node.extensions", "what this program supports is known to itself"},
    {"envoy.config.core.v3.Node.client_features", "hints for the control plane"},
    {"envoy.config.bootstrap.v3.Admin.access_log_path", "deprecated log of the admin interface"},
});
}  // namespace

std::span<const IgnoredField> IgnoredFields() { return kIgnored; }

bool IsIgnored(std::string_view full_field_name) {
  return std::any_of(kIgnored.begin(), kIgnored.end(),
                     [&](const IgnoredField& f) { return f.field == full_field_name; });
}

}  // namespace plait::xds
