#include "core/xds/ignored_fields.h"

#include <algorithm>
#include <array>

namespace plait::xds {
namespace {
constexpr std::string_view kTelemetry = "names or shapes statistics only";
constexpr std::string_view kTuning = "an upper bound or hint for buffers; ours are bounded by themselves";
constexpr std::string_view kMetadata = "data for filters and loggers; what Plait uses of it is read by name";
constexpr std::string_view kEnvoyInside = "steers Envoy's own implementation";
constexpr std::string_view kNoTracer = "no spans are made: a request's trace headers pass as they came";
constexpr std::string_view kSlowStart =
    "how fast a new host gets its share; whether it may get any is decided elsewhere";
constexpr std::string_view kKeepAlive =
    "a dead peer is noticed by TCP keep-alive, by the time-outs of requests and by their retries";

constexpr auto kIgnored = std::to_array<IgnoredField>({
    {"envoy.config.listener.v3.Listener.metadata", kMetadata},
    {"envoy.config.listener.v3.Listener.enable_reuse_port",
     "sockets are shared by workers without SO_REUSEPORT (semantics.md 8)"},
    {"envoy.config.listener.v3.Listener.ConnectionBalanceConfig.exact_balance",
     "a new connection goes to the least loaded worker in any case"},
    {"envoy.config.listener.v3.Listener.max_connections_to_accept_per_socket_event", kTuning},
    {"envoy.config.listener.v3.Listener.ignore_global_conn_limit", "there is no such limit"},
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
    {"envoy.config.cluster.v3.Cluster.LeastRequestLbConfig.slow_start_config", kSlowStart},
    {"envoy.config.cluster.v3.Cluster.RoundRobinLbConfig.slow_start_config", kSlowStart},
    {"envoy.config.cluster.v3.Cluster.ignore_health_on_host_removal",
     "there is no active health checking: a host that was removed is gone"},
    {"envoy.config.cluster.v3.UpstreamConnectionOptions.set_local_interface_name_on_upstream_connections", kTelemetry},
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
    {"envoy.config.core.v3.Http1ProtocolOptions.accept_http_10", "HTTP/1.0 is accepted always (semantics.md 1)"},
    {"envoy.config.core.v3.Http2ProtocolOptions.use_oghttp2_codec", kEnvoyInside},
    {"envoy.config.core.v3.Http2ProtocolOptions.max_outbound_frames", kTuning},
    {"envoy.config.core.v3.Http2ProtocolOptions.max_outbound_control_frames", kTuning},
    {"envoy.config.core.v3.Http2ProtocolOptions.hpack_table_size", kTuning},
    {"envoy.config.core.v3.Http2ProtocolOptions.override_stream_error_on_invalid_http_message",
     "a broken message ends its stream, broken framing the connection"},
    {"envoy.config.core.v3.KeepaliveSettings.interval", kKeepAlive},
    {"envoy.config.core.v3.KeepaliveSettings.timeout", kKeepAlive},
    {"envoy.config.core.v3.KeepaliveSettings.connection_idle_interval", kKeepAlive},
    {"envoy.config.core.v3.GrpcService.timeout", "of one call; a stream of configuration has no end"},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing.client_sampling",
     kNoTracer},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing.random_sampling",
     kNoTracer},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing.overall_sampling",
     kNoTracer},
    {"envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig.pack_trace_reason", kNoTracer},
    {"envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig.use_request_id_for_trace_sampling", kNoTracer},
    {"envoy.extensions.filters.http.router.v3.Router.start_child_span", kNoTracer},
    {"envoy.extensions.filters.http.grpc_stats.v3.FilterConfig.emit_filter_state", kTelemetry},
    {"envoy.extensions.filters.http.grpc_stats.v3.FilterConfig.stats_for_all_methods", kTelemetry},
    {"envoy.extensions.filters.http.rbac.v3.RBAC.rules_stat_prefix", kTelemetry},
    {"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext.disable_stateful_session_resumption",
     "sessions are resumed by tickets only"},
    {"envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext.session_timeout",
     "a resumed session is judged like a new one, so its age gives it nothing"},
    {"envoy.extensions.filters.http.fault.v3.HTTPFault.disable_downstream_cluster_stats", kTelemetry},
    {"envoy.extensions.filters.http.rbac.v3.RBAC.track_per_rule_stats", kTelemetry},
    {"istio.workload.Workload.authorization_policies",
     "names of policies for ztunnel; a sidecar's come in its listeners"},
    {"istio.workload.Workload.native_tunnel",
     "tunnels (HBONE) are not spoken; mutual TLS is used as the extension says"},
    {"istio.workload.Service.load_balancing", "how ztunnel balances; a sidecar's clusters say it themselves"},
    {"istio.workload.Service.visibility", "for the control plane: it sends only what this proxy may see"},
    {"stats.PluginConfig.debug", kTelemetry},
    {"stats.PluginConfig.disable_host_header_fallback", kTelemetry},
    {"stats.PluginConfig.max_peer_cache_size", kTuning},
    {"stats.PluginConfig.reporter", "which labels are whose follows from the listener's direction"},
    {"stats.PluginConfig.tcp_reporting_duration", "TCP counters are exact at every scrape"},
    {"envoy.tcp.metadataexchange.config.MetadataExchange.enable_discovery", "labels of a peer come from the index"},
    {"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig.alpn_override",
     "Plait's own ALPN rule is the same (semantics.md 3)"},
    {"envoy.config.bootstrap.v3.Bootstrap.layered_runtime", "layers and keys that could have an effect are refused"},
    {"envoy.config.bootstrap.v3.Bootstrap.stats_config", kTelemetry},
    {"envoy.config.bootstrap.v3.Bootstrap.stats_flush_interval", "for statistics that are pushed; ours are read"},
    {"envoy.config.bootstrap.v3.Admin.profile_path", kEnvoyInside},
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
