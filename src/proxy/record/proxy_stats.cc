#include "proxy/record/proxy_stats.h"

#include <array>

namespace plait::proxy::record {
namespace {

using telemetry::Kind;
using telemetry::StatDef;

constexpr StatDef Class(std::string_view name, std::string_view code_class) {
  return {.name = name, .prometheus = "downstream_rq", .label = "response_code_class", .label_value = code_class};
}

constexpr auto kHttp = std::to_array<StatDef>({
    {.name = "downstream_cx_total"},
    {.name = "downstream_cx_active", .kind = Kind::kGauge},
    {.name = "downstream_cx_http1_total"},
    {.name = "downstream_cx_http2_total"},
    {.name = "downstream_cx_ssl_total"},
    {.name = "downstream_cx_destroy"},
    {.name = "downstream_cx_idle_timeout"},
    {.name = "downstream_cx_max_duration_reached"},
    {.name = "downstream_cx_protocol_error"},
    {.name = "downstream_cx_drain_close"},
    {.name = "downstream_rq_total"},
    {.name = "downstream_rq_active", .kind = Kind::kGauge},
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
    {.name = "downstream_rq_too_large"},
    {.name = "downstream_rq_header_timeout"},
    {.name = "downstream_rq_non_relative_path"},
    {.name = "downstream_rq_overload_close"},
    {.name = "downstream_rq_ws_on_non_ws_route"},
    {.name = "no_route"},
    {.name = "no_cluster"},
    {.name = "rq_redirect"},
    {.name = "rq_direct_response"},
    {.name = "rq_total"},
    {.name = "downstream_rq_time", .kind = Kind::kHistogram},
});
static_assert(kHttp.size() == static_cast<std::size_t>(HttpStat::kRqTime) + 1);

constexpr auto kTcp = std::to_array<StatDef>({
    {.name = "downstream_cx_total"},
    {.name = "downstream_cx_active", .kind = Kind::kGauge},
    {.name = "downstream_cx_no_route"},
    {.name = "downstream_cx_rx_bytes_total"},
    {.name = "downstream_cx_tx_bytes_total"},
    {.name = "idle_timeout"},
    {.name = "max_downstream_connection_duration"},
});
static_assert(kTcp.size() == static_cast<std::size_t>(TcpStat::kMaxDurationReached) + 1);

constexpr auto kListener = std::to_array<StatDef>({
    {.name = "downstream_cx_total"},
    {.name = "downstream_cx_active", .kind = Kind::kGauge},
    {.name = "downstream_cx_destroy"},
    {.name = "downstream_cx_overflow"},
    {.name = "no_filter_chain_match"},
    {.name = "ssl.handshake"},
    {.name = "ssl.connection_error"},
    {.name = "ssl.fail_verify_error"},
    {.name = "ssl.fail_verify_no_cert"},
    {.name = "downstream_pre_cx_timeout"},
});
static_assert(kListener.size() == static_cast<std::size_t>(ListenerStat::kPreCxTimeout) + 1);

constexpr auto kServer = std::to_array<StatDef>({
    {.name = "live", .kind = Kind::kGauge},
    {.name = "state", .kind = Kind::kGauge},
    {.name = "uptime", .kind = Kind::kGauge},
    {.name = "concurrency", .kind = Kind::kGauge},
    {.name = "total_connections", .kind = Kind::kGauge},
    {.name = "memory_allocated", .kind = Kind::kGauge},
    {.name = "memory_heap_size", .kind = Kind::kGauge},
    {.name = "days_until_first_cert_expiring", .kind = Kind::kGauge},
    {.name = "access_log_dropped_blocks", .kind = Kind::kGauge},
});
static_assert(kServer.size() == static_cast<std::size_t>(ServerStat::kAccessLogDropped) + 1);

constexpr std::array<std::string_view, 1> kHttpLabels = {"http_conn_manager_prefix"};
constexpr std::array<std::string_view, 1> kTcpLabels = {"tcp_prefix"};
constexpr std::array<std::string_view, 1> kListenerLabels = {"listener_address"};
constexpr telemetry::Schema kHttpSchema{"http.", "envoy_http_", kHttpLabels, kHttp};
constexpr telemetry::Schema kTcpSchema{"tcp.", "envoy_tcp_", kTcpLabels, kTcp};
constexpr telemetry::Schema kListenerSchema{"listener.", "envoy_listener_", kListenerLabels, kListener};
constexpr telemetry::Schema kServerSchema{"server.", "envoy_server_", {}, kServer};

}  // namespace

HttpStats::HttpStats(telemetry::Registry& registry, std::string_view stat_prefix)
    : group_(registry.NewGroup(kHttpSchema, {std::string(stat_prefix)})) {}

void HttpStats::Completed(std::uint16_t status, double milliseconds) const noexcept {
  Add(HttpStat::kRqCompleted);
  if (status >= 100 && status < 600) Add(static_cast<HttpStat>(static_cast<int>(HttpStat::kRq1xx) + status / 100 - 1));
  group_.Record(static_cast<std::size_t>(HttpStat::kRqTime), milliseconds);
}

TcpStats::TcpStats(telemetry::Registry& registry, std::string_view stat_prefix)
    : group_(registry.NewGroup(kTcpSchema, {std::string(stat_prefix)})) {}
ListenerStats::ListenerStats(telemetry::Registry& registry, std::string_view address)
    : group_(registry.NewGroup(kListenerSchema, {std::string(address)})) {}
ServerStats::ServerStats(telemetry::Registry& registry) : group_(registry.NewGroup(kServerSchema, {})) {}

}  // namespace plait::proxy::record
