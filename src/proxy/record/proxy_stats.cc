#include "proxy/record/proxy_stats.h"

#include <algorithm>
#include <array>
#include <span>

namespace plait::proxy::record {
namespace {

using telemetry::Kind;
using telemetry::Schema;
using telemetry::StatDef;

template <class Stat>
using Table = std::array<StatDef, static_cast<std::size_t>(Stat::kCount)>;

constexpr StatDef Class(std::string_view name, std::string_view code_class) {
  return {.name = name, .prometheus = "downstream_rq", .label = "response_code_class", .label_value = code_class};
}
constexpr StatDef Gauge(std::string_view name) { return {.name = name, .kind = Kind::kGauge}; }
constexpr StatDef Histogram(std::string_view name) { return {.name = name, .kind = Kind::kHistogram}; }

constexpr Table<HttpStat> kHttp = {{
    {.name = "downstream_cx_total"},
    Gauge("downstream_cx_active"),
    {.name = "downstream_cx_http1_total"},
    Gauge("downstream_cx_http1_active"),
    {.name = "downstream_cx_http2_total"},
    Gauge("downstream_cx_http2_active"),
    {.name = "downstream_cx_ssl_total"},
    Gauge("downstream_cx_ssl_active"),
    {.name = "downstream_cx_destroy"},
    {.name = "downstream_cx_destroy_local"},
    {.name = "downstream_cx_destroy_remote"},
    {.name = "downstream_cx_destroy_active_rq"},
    {.name = "downstream_cx_destroy_local_active_rq"},
    {.name = "downstream_cx_destroy_remote_active_rq"},
    {.name = "downstream_cx_idle_timeout"},
    {.name = "downstream_cx_max_duration_reached"},
    {.name = "downstream_cx_max_requests_reached"},
    {.name = "downstream_cx_protocol_error"},
    {.name = "downstream_cx_drain_close"},
    {.name = "downstream_cx_rx_bytes_total"},
    {.name = "downstream_cx_tx_bytes_total"},
    Histogram("downstream_cx_length_ms"),
    {.name = "downstream_rq_total"},
    Gauge("downstream_rq_active"),
    {.name = "downstream_rq_http1_total"},
    {.name = "downstream_rq_http2_total"},
    {.name = "downstream_rq_completed"},
    Class("downstream_rq_1xx", "1xx"),
    Class("downstream_rq_2xx", "2xx"),
    Class("downstream_rq_3xx", "3xx"),
    Class("downstream_rq_4xx", "4xx"),
    Class("downstream_rq_5xx", "5xx"),
    {.name = "downstream_rq_rx_reset"},
    {.name = "downstream_rq_tx_reset"},
    {.name = "downstream_rq_timeout"},
    {.name = "downstream_rq_idle_timeout"},
    {.name = "downstream_rq_max_duration_reached"},
    {.name = "downstream_rq_header_timeout"},
    {.name = "downstream_rq_non_relative_path"},
    {.name = "downstream_rq_failed_path_normalization"},
    {.name = "downstream_rq_redirected_with_normalized_path"},
    {.name = "downstream_rq_ws_on_non_ws_route"},
    Histogram("downstream_rq_time"),
    {.name = "no_route"},
    {.name = "no_cluster"},
    {.name = "rq_direct_response"},
    {.name = "rq_total"},
}};
// Those of them that are counted of a listener as well: ListenerHttpStat, in the same order.
constexpr auto kFirstOfListener = static_cast<std::size_t>(HttpStat::kRqCompleted);
static_assert(static_cast<std::size_t>(HttpStat::kRq5xx) ==
              kFirstOfListener + static_cast<std::size_t>(ListenerHttpStat::kRq5xx));
constexpr auto kListenerHttp =
    std::span(kHttp).subspan<kFirstOfListener, static_cast<std::size_t>(ListenerHttpStat::kCount)>();
constexpr Table<TcpStat> kTcp = {{
    {.name = "downstream_cx_total"},
    {.name = "downstream_cx_no_route"},
    {.name = "downstream_cx_rx_bytes_total"},
    {.name = "downstream_cx_tx_bytes_total"},
    {.name = "idle_timeout"},
    {.name = "max_downstream_connection_duration"},
}};
constexpr Table<ListenerStat> kListener = {{
    {.name = "downstream_cx_total"},
    Gauge("downstream_cx_active"),
    {.name = "downstream_cx_destroy"},
    Histogram("downstream_cx_length_ms"),
    {.name = "downstream_cx_transport_socket_connect_timeout"},
    Gauge("downstream_pre_cx_active"),
    {.name = "downstream_pre_cx_timeout"},
    {.name = "downstream_listener_filter_remote_close"},
    {.name = "no_filter_chain_match"},
    {.name = "ssl.handshake"},
    {.name = "ssl.no_certificate"},
    {.name = "ssl.connection_error"},
    {.name = "ssl.fail_verify_error"},
    {.name = "ssl.fail_verify_no_cert"},
}};
constexpr Table<ServerStat> kServer = {{
    Gauge("live"),
    Gauge("state"),
    Gauge("uptime"),
    Gauge("concurrency"),
    Gauge("version"),
    Gauge("total_connections"),
    Gauge("memory_allocated"),
    Gauge("memory_heap_size"),
    Gauge("memory_physical_size"),
    Gauge("days_until_first_cert_expiring"),
    Gauge("hot_restart_epoch"),
    Gauge("access_logs_not_open"),
}};
constexpr Table<FilesystemStat> kFilesystem = {{
    {.name = "write_buffered"},
    {.name = "write_completed"},
    {.name = "write_failed"},
    {.name = "reopen_failed"},
    Gauge("write_total_buffered"),
}};
constexpr Table<BuildStat> kBuild = {{Gauge("build")}};
constexpr Table<ListenerManagerStat> kListenerManager = {{
    {.name = "listener_added"},
    {.name = "listener_modified"},
    {.name = "listener_removed"},
    {.name = "listener_stopped"},
    {.name = "listener_create_success"},
    {.name = "listener_create_failure"},
    Gauge("total_listeners_active"),
    Gauge("total_listeners_warming"),
    Gauge("workers_started"),
}};
constexpr Table<ClusterManagerStat> kClusterManager = {{
    {.name = "cluster_added"},
    {.name = "cluster_modified"},
    {.name = "cluster_removed"},
    Gauge("active_clusters"),
    Gauge("warming_clusters"),
}};
constexpr Table<SubscriptionStat> kSubscription = {{
    {.name = "update_attempt"},
    {.name = "update_success"},
    {.name = "update_rejected"},
    {.name = "update_failure"},
    Gauge("update_time"),
    Gauge("version"),
}};
constexpr Table<ControlPlaneStat> kControlPlane = {{Gauge("connected_state")}};

constexpr std::array<std::string_view, 1> kHttpLabels = {"http_conn_manager_prefix"};
constexpr std::array<std::string_view, 2> kListenerHttpLabels = {"listener_address",
                                                                 "http_conn_manager_listener_prefix"};
constexpr std::array<std::string_view, 1> kTcpLabels = {"tcp_prefix"};
constexpr std::array<std::string_view, 1> kListenerLabels = {"listener_address"};
constexpr Schema kHttpSchema{"http.", "envoy_http_", kHttpLabels, kHttp};
constexpr Schema kListenerHttpSchema{"listener.*.http.", "envoy_listener_http_", kListenerHttpLabels, kListenerHttp};
constexpr Schema kTcpSchema{"tcp.", "envoy_tcp_", kTcpLabels, kTcp};
constexpr Schema kListenerSchema{"listener.", "envoy_listener_", kListenerLabels, kListener};
constexpr std::array<std::string_view, 2> kBuildLabels = {"component", "tag"};
constexpr Schema kBuildSchema{"", "istio_", kBuildLabels, kBuild};
constexpr Schema kServerSchema{"server.", "envoy_server_", {}, kServer};
constexpr Schema kFilesystemSchema{"filesystem.", "envoy_filesystem_", {}, kFilesystem};
constexpr Schema kListenerManagerSchema{"listener_manager.", "envoy_listener_manager_", {}, kListenerManager};
constexpr Schema kClusterManagerSchema{"cluster_manager.", "envoy_cluster_manager_", {}, kClusterManager};
constexpr Schema kListenersSchema{"listener_manager.lds.", "envoy_listener_manager_lds_", {}, kSubscription};
constexpr Schema kClustersSchema{"cluster_manager.cds.", "envoy_cluster_manager_cds_", {}, kSubscription};
constexpr Schema kControlPlaneSchema{"control_plane.", "envoy_control_plane_", {}, kControlPlane};

}  // namespace

HttpStats::HttpStats(telemetry::Registry& registry, std::string_view stat_prefix, std::string_view listener)
    : Stats(registry.SharedGroup(kHttpSchema, {std::string(stat_prefix)})) {
  if (listener.empty()) return;
  of_listener_.emplace(registry.SharedGroup(kListenerHttpSchema, {std::string(listener), std::string(stat_prefix)}));
}

void HttpStats::Completed(std::uint16_t status) const noexcept {
  const auto count = [this](std::size_t place) {
    Add(static_cast<HttpStat>(kFirstOfListener + place));
    if (of_listener_) of_listener_->Add(static_cast<ListenerHttpStat>(place));
  };
  count(0);
  if (status >= 100 && status < 600) count(status / 100U);  // the classes follow
}

TcpStats::TcpStats(telemetry::Registry& registry, std::string_view stat_prefix)
    : Stats(registry.SharedGroup(kTcpSchema, {std::string(stat_prefix)})) {}

ListenerStats::ListenerStats(telemetry::Registry& registry, std::string_view name)
    : Stats(registry.SharedGroup(kListenerSchema, {std::string(name)})) {}

void ListenerStats::HandshakeDone(bool client_certificate) const noexcept {
  Add(ListenerStat::kSslHandshake);
  if (!client_certificate) Add(ListenerStat::kSslNoCertificate);
}

// What went wrong is known as text only, that of core/tls and of the TLS library.
void ListenerStats::HandshakeFailed(std::string_view failure) const noexcept {
  if (failure == "TLS handshake timed out") {
    Add(ListenerStat::kCxTransportTimeout);
  } else if (failure.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE")) {
    Add(ListenerStat::kSslFailVerifyNoCert);
  } else if (failure.starts_with("peer certificate: ")) {
    Add(ListenerStat::kSslFailVerifyError);
  } else if (failure.starts_with("TLS handshake failed: ")) {
    Add(ListenerStat::kSslConnectionError);
  }
}

std::string StatNameOf(const io::SocketAddress& address) {
  std::string name = address.ToString();
  std::ranges::replace(name, ':', '_');
  return name;
}

ServerStats::ServerStats(telemetry::Registry& registry) : Stats(registry.SharedGroup(kServerSchema, {})) {}
FilesystemStats::FilesystemStats(telemetry::Registry& registry) : Stats(registry.SharedGroup(kFilesystemSchema, {})) {}
BuildStats::BuildStats(telemetry::Registry& registry, std::string_view version)
    : Stats(registry.SharedGroup(kBuildSchema, {"proxy", std::string(version)})) {
  Set(BuildStat::kBuild, 1);
}
ListenerManagerStats::ListenerManagerStats(telemetry::Registry& registry)
    : Stats(registry.SharedGroup(kListenerManagerSchema, {})) {}
ClusterManagerStats::ClusterManagerStats(telemetry::Registry& registry)
    : Stats(registry.SharedGroup(kClusterManagerSchema, {})) {}
SubscriptionStats::SubscriptionStats(telemetry::Registry& registry, Of of)
    : Stats(registry.SharedGroup(of == Of::kListeners ? kListenersSchema : kClustersSchema, {})) {}
ControlPlaneStats::ControlPlaneStats(telemetry::Registry& registry)
    : Stats(registry.SharedGroup(kControlPlaneSchema, {})) {}

}  // namespace plait::proxy::record
