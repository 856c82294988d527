#include "proxy/cluster/cluster.h"

#include <algorithm>
#include <utility>

#include "proxy/cluster/outlier.h"

namespace plait::proxy::cluster {
namespace {

using telemetry::Kind;
using telemetry::StatDef;

// In the order of ClusterStat.
constexpr std::array<StatDef, static_cast<std::size_t>(ClusterStat::kCount)> kStats = {{
    {.name = "upstream_cx_total"},
    {.name = "upstream_cx_active", .kind = Kind::kGauge},
    {.name = "upstream_cx_http1_total"},
    {.name = "upstream_cx_http2_total"},
    {.name = "upstream_cx_connect_fail"},
    {.name = "upstream_cx_connect_timeout"},
    {.name = "upstream_cx_overflow"},
    {.name = "upstream_cx_destroy"},
    {.name = "upstream_cx_destroy_local"},
    {.name = "upstream_cx_destroy_remote"},
    {.name = "upstream_cx_destroy_with_active_rq"},
    {.name = "upstream_cx_destroy_local_with_active_rq"},
    {.name = "upstream_cx_destroy_remote_with_active_rq"},
    {.name = "upstream_cx_max_duration_reached"},
    {.name = "upstream_cx_rx_bytes_total"},
    {.name = "upstream_cx_tx_bytes_total"},
    {.name = "upstream_cx_idle_timeout"},
    {.name = "upstream_cx_max_requests"},
    {.name = "upstream_cx_none_healthy"},
    {.name = "upstream_cx_protocol_error"},
    {.name = "upstream_cx_close_notify"},
    {.name = "upstream_rq_total"},
    {.name = "upstream_rq_active", .kind = Kind::kGauge},
    {.name = "upstream_rq_pending_total"},
    {.name = "upstream_rq_pending_active", .kind = Kind::kGauge},
    {.name = "upstream_rq_pending_overflow"},
    {.name = "upstream_rq_active_overflow"},
    {.name = "upstream_rq_pending_failure_eject"},
    {.name = "upstream_rq_cancelled"},
    {.name = "upstream_rq_timeout"},
    {.name = "upstream_rq_per_try_timeout"},
    {.name = "upstream_rq_max_duration_reached"},
    {.name = "upstream_rq_rx_reset"},
    {.name = "upstream_rq_tx_reset"},
    {.name = "upstream_rq_retry"},
    {.name = "upstream_rq_retry_success"},
    {.name = "upstream_rq_retry_overflow"},
    {.name = "upstream_rq_retry_limit_exceeded"},
    {.name = "upstream_rq_retry_backoff_exponential"},
    {.name = "upstream_rq_completed"},
    {.name = "upstream_rq_1xx", .prometheus = "upstream_rq", .label = "response_code_class", .label_value = "1xx"},
    {.name = "upstream_rq_2xx", .prometheus = "upstream_rq", .label = "response_code_class", .label_value = "2xx"},
    {.name = "upstream_rq_3xx", .prometheus = "upstream_rq", .label = "response_code_class", .label_value = "3xx"},
    {.name = "upstream_rq_4xx", .prometheus = "upstream_rq", .label = "response_code_class", .label_value = "4xx"},
    {.name = "upstream_rq_5xx", .prometheus = "upstream_rq", .label = "response_code_class", .label_value = "5xx"},
    {.name = "upstream_rq_time", .kind = Kind::kHistogram},
    {.name = "upstream_cx_connect_ms", .kind = Kind::kHistogram},
    {.name = "lb_healthy_panic"},
    {.name = "bind_errors"},
    {.name = "outlier_detection.ejections_active", .kind = Kind::kGauge},
    {.name = "outlier_detection.ejections_enforced_total"},
    {.name = "outlier_detection.ejections_enforced_consecutive_5xx"},
    {.name = "outlier_detection.ejections_enforced_consecutive_gateway_failure"},
    {.name = "outlier_detection.ejections_overflow"},
    {.name = "ssl.handshake"},
    {.name = "ssl.connection_error"},
    {.name = "ssl.fail_verify_error"},
    {.name = "ssl.fail_verify_san"},
    {.name = "circuit_breakers.default.cx_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.default.cx_pool_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.default.rq_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.default.rq_pending_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.default.rq_retry_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.high.cx_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.high.cx_pool_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.high.rq_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.high.rq_pending_open", .kind = Kind::kGauge},
    {.name = "circuit_breakers.high.rq_retry_open", .kind = Kind::kGauge},
}};
constexpr std::size_t kOpenGauges = 5;  // of a priority

// In the order of MembershipStat.
constexpr std::array<StatDef, static_cast<std::size_t>(MembershipStat::kCount)> kMembership = {{
    {.name = "membership_total", .kind = Kind::kGauge},
    {.name = "membership_healthy", .kind = Kind::kGauge},
    {.name = "membership_degraded", .kind = Kind::kGauge},
    {.name = "membership_excluded", .kind = Kind::kGauge},
    {.name = "membership_change"},
    {.name = "update_attempt"},
    {.name = "update_success"},
    {.name = "update_failure"},
    {.name = "update_no_rebuild"},
}};

// circuit_breakers.<priority>.remaining_*. There is no limit of pools, so none remain to be counted.
constexpr StatDef Remaining(std::string_view name) { return {.name = name, .kind = Kind::kGauge}; }
constexpr std::array<StatDef, 4> kRemainingDefault = {{
    Remaining("circuit_breakers.default.remaining_cx"),
    Remaining("circuit_breakers.default.remaining_pending"),
    Remaining("circuit_breakers.default.remaining_rq"),
    Remaining("circuit_breakers.default.remaining_retries"),
}};
constexpr std::array<StatDef, 4> kRemainingHigh = {{
    Remaining("circuit_breakers.high.remaining_cx"),
    Remaining("circuit_breakers.high.remaining_pending"),
    Remaining("circuit_breakers.high.remaining_rq"),
    Remaining("circuit_breakers.high.remaining_retries"),
}};
constexpr std::array<std::string_view, 1> kLabels = {"cluster_name"};
constexpr telemetry::Schema kSchema{"cluster.", "envoy_cluster_", kLabels, kStats};
constexpr telemetry::Schema kMembershipSchema{"cluster.", "envoy_cluster_", kLabels, kMembership, /*apart=*/true};
constexpr std::array<telemetry::Schema, 2> kRemaining = {{
    {"cluster.", "envoy_cluster_", kLabels, kRemainingDefault},
    {"cluster.", "envoy_cluster_", kLabels, kRemainingHigh},
}};

std::uint32_t Left(std::uint32_t most, std::uint32_t used) noexcept { return used < most ? most - used : 0; }

}  // namespace

ClusterState::ClusterState(telemetry::Registry& registry, std::string_view stat_name)
    : labels({std::string(stat_name)}),
      stats(registry.NewGroup(kSchema, labels)),
      membership(registry.NewGroup(kMembershipSchema, labels)),
      registry_(registry),
      codes_(registry, labels) {}

void ClusterState::Configure(const xds::Cluster& config) {
  const std::array<xds::CircuitBreakers, 2> breakers = {config.circuit_breakers,
                                                        config.high_priority_breakers.value_or(xds::CircuitBreakers{})};
  for (std::size_t priority = 0; priority < breakers.size(); ++priority) {
    limits[priority].Configure(breakers[priority]);
    telemetry::Group& remaining = remaining_[priority];
    if (!breakers[priority].track_remaining) {
      remaining = {};
    } else if (!remaining) {
      remaining = registry_.NewGroup(kRemaining[priority], labels);
    }
  }
}

void ClusterState::ShowLimits() {
  std::uint32_t open = 0;
  for (std::size_t priority = 0; priority < limits.size(); ++priority) {
    const ClusterLimits& limit = limits[priority];
    const std::array<std::uint32_t, 4> left = {
        Left(limit.connections.most(), limit.connections.used()), Left(limit.pending.most(), limit.pending.used()),
        Left(limit.requests.most(), limit.requests.used()), Left(limit.retries_most(), limit.retries_used())};
    // As in Envoy no retries remain where a budget says how many may run.
    for (std::size_t i = 0; i < 3; ++i) remaining_[priority].SetGauge(i, left[i]);
    remaining_[priority].SetGauge(3, limit.has_retry_budget() ? 0 : left[3]);
    // As in Envoy a limit of zero, which nobody ever takes from, is not reached.
    const bool retries = left[3] == 0 && limit.retries_used() > 0;
    const std::array<bool, kOpenGauges> reached = {left[0] == 0 && limit.connections.used() > 0, false,
                                                   left[2] == 0 && limit.requests.used() > 0,
                                                   left[1] == 0 && limit.pending.used() > 0, retries};
    for (std::size_t i = 0; i < reached.size(); ++i) {
      if (reached[i]) open |= 1U << (priority * kOpenGauges + i);
    }
  }
  // Most clusters never reach a limit, and cells that are not written need no memory.
  const std::uint32_t changed = std::exchange(shown_open_, open) ^ open;
  for (std::size_t i = 0; i < limits.size() * kOpenGauges; ++i) {
    if ((changed >> i & 1U) == 0) continue;
    stats.SetGauge(static_cast<std::size_t>(ClusterStat::kDefaultCxOpen) + i, open >> i & 1U);
  }
}

void ClusterState::Add(ClusterStat stat, std::uint64_t n) const noexcept {
  stats.Add(static_cast<std::size_t>(stat), n);
}
void ClusterState::Add(MembershipStat stat) const noexcept { membership.Add(static_cast<std::size_t>(stat)); }
void ClusterState::SetGauge(MembershipStat stat, std::uint64_t value) const noexcept {
  membership.SetGauge(static_cast<std::size_t>(stat), value);
}
void ClusterState::AddGauge(ClusterStat stat, std::int64_t n) const noexcept {
  stats.AddGauge(static_cast<std::size_t>(stat), n);
}
void ClusterState::Record(ClusterStat stat, double value) const noexcept {
  stats.Record(static_cast<std::size_t>(stat), value);
}
void ClusterState::CountResponse(std::uint16_t status) const noexcept {
  Add(ClusterStat::kUpstreamRqCompleted);
  if (status < 100 || status >= 600) return;
  Add(static_cast<ClusterStat>(static_cast<int>(ClusterStat::kUpstreamRq1xx) + status / 100 - 1));
  codes_.Count(status);
}

const xds::UpstreamTlsContext* Cluster::TlsFor(const Host& host) const noexcept {
  const std::uint32_t transport = host.facts().transport;
  if (host.facts().tls_disabled_by_index) return nullptr;
  const std::optional<xds::UpstreamTlsContext>& tls = transport < config->transport_socket_matches.size()
                                                          ? config->transport_socket_matches[transport].tls
                                                          : config->tls;
  return tls ? &*tls : nullptr;
}

std::vector<const xds::UpstreamTlsContext*> TlsOf(const xds::Cluster& cluster) {
  std::vector<const xds::UpstreamTlsContext*> contexts;
  if (cluster.tls) contexts.push_back(&*cluster.tls);
  for (const xds::TransportSocketMatch& match : cluster.transport_socket_matches) {
    if (match.tls) contexts.push_back(&*match.tls);
  }
  return contexts;
}

void ReportResponse(const Cluster& cluster, const Host& host, std::uint16_t status) noexcept {
  (status >= 500 ? host.stats().rq_error : host.stats().rq_success).fetch_add(1, std::memory_order_relaxed);
  if (cluster.state->outlier) cluster.state->outlier->Answered(host, status);
}

void ReportLocalFailure(const Cluster& cluster, const Host& host, LocalFailure failure) noexcept {
  HostStats& stats = host.stats();
  switch (failure) {
    case LocalFailure::kConnectFailed:
    case LocalFailure::kConnectTimeout: break;
    case LocalFailure::kRequestTimeout: stats.rq_timeout.fetch_add(1, std::memory_order_relaxed); [[fallthrough]];
    case LocalFailure::kReset: stats.rq_error.fetch_add(1, std::memory_order_relaxed);
  }
  if (cluster.state->outlier) cluster.state->outlier->FailedLocally(host, failure);
}

void ReportConnected(const Cluster& cluster, const Host& host) noexcept {
  if (cluster.state->outlier) cluster.state->outlier->Connected(host);
}

void ReportConnectedForRequests(const Cluster& cluster, const Host& host) noexcept {
  if (cluster.state->outlier) cluster.state->outlier->ConnectedForRequests(host);
}

}  // namespace plait::proxy::cluster
