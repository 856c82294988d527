#include "core/xds/encode/cluster_parts.h"
#include "core/xds/encode/parts.h"
#include "envoy/config/cluster/v3/cluster.pb.h"

namespace plait::xds::encode {
namespace {
namespace pb = envoy::config::cluster::v3;

void FillSlowStart(const SlowStart& in, pb::Cluster::SlowStartConfig& out) {
  Fill(in.window, *out.mutable_slow_start_window());
  if (in.aggression != 1.0) {
    out.mutable_aggression()->set_default_value(in.aggression);
    out.mutable_aggression()->set_runtime_key("plait.slow_start.aggression");  // Envoy demands one
  }
  out.mutable_min_weight_percent()->set_value(in.min_weight_percent);
}

}  // namespace

void Fill(const LbConfig& in, pb::Cluster& out) {
  constexpr pb::Cluster::LbPolicy kPolicies[] = {pb::Cluster::ROUND_ROBIN, pb::Cluster::LEAST_REQUEST,
                                                 pb::Cluster::RANDOM,      pb::Cluster::RING_HASH,
                                                 pb::Cluster::MAGLEV,      pb::Cluster::CLUSTER_PROVIDED};
  out.set_lb_policy(kPolicies[static_cast<std::size_t>(in.policy)]);
  if (in.policy == LbPolicy::kLeastRequest) {
    if (in.choice_count != 2) out.mutable_least_request_lb_config()->mutable_choice_count()->set_value(in.choice_count);
    if (in.slow_start)
      FillSlowStart(*in.slow_start, *out.mutable_least_request_lb_config()->mutable_slow_start_config());
  } else if (in.policy == LbPolicy::kRoundRobin && in.slow_start) {
    FillSlowStart(*in.slow_start, *out.mutable_round_robin_lb_config()->mutable_slow_start_config());
  } else if (in.policy == LbPolicy::kRingHash) {
    out.mutable_ring_hash_lb_config()->mutable_minimum_ring_size()->set_value(in.minimum_ring_size);
    out.mutable_ring_hash_lb_config()->mutable_maximum_ring_size()->set_value(in.maximum_ring_size);
  } else if (in.policy == LbPolicy::kMaglev && in.table_size != 65537) {
    out.mutable_maglev_lb_config()->mutable_table_size()->set_value(in.table_size);
  }
  pb::Cluster::CommonLbConfig common;
  if (in.healthy_panic_threshold != 50) common.mutable_healthy_panic_threshold()->set_value(in.healthy_panic_threshold);
  if (in.use_hostname_for_hashing) common.mutable_consistent_hashing_lb_config()->set_use_hostname_for_hashing(true);
  if (in.locality_weighted) {
    common.mutable_locality_weighted_lb_config();
  } else if (in.zone_routing_enabled_percent != 100 || in.zone_minimum_cluster_size != 6) {
    common.mutable_zone_aware_lb_config()->mutable_routing_enabled()->set_value(in.zone_routing_enabled_percent);
    common.mutable_zone_aware_lb_config()->mutable_min_cluster_size()->set_value(in.zone_minimum_cluster_size);
  }
  common.set_ignore_new_hosts_until_first_hc(in.ignore_new_hosts_until_first_hc);
  if (common.ByteSizeLong() > 0) *out.mutable_common_lb_config() = std::move(common);
}

void Fill(const CircuitBreakers& in, int priority, pb::Cluster& out) {
  auto& to = *out.mutable_circuit_breakers()->add_thresholds();
  to.set_priority(static_cast<envoy::config::core::v3::RoutingPriority>(priority));
  to.mutable_max_connections()->set_value(in.max_connections);
  to.mutable_max_pending_requests()->set_value(in.max_pending_requests);
  to.mutable_max_requests()->set_value(in.max_requests);
  to.mutable_max_retries()->set_value(in.max_retries);
  if (in.retry_budget) {
    to.mutable_retry_budget()->mutable_budget_percent()->set_value(in.retry_budget->budget_percent);
    to.mutable_retry_budget()->mutable_min_retry_concurrency()->set_value(in.retry_budget->min_retry_concurrency);
  }
  to.set_track_remaining(in.track_remaining);
}

void Fill(const OutlierDetection& in, pb::OutlierDetection& out) {
  out.mutable_consecutive_5xx()->set_value(in.consecutive_5xx);
  out.mutable_consecutive_gateway_failure()->set_value(in.consecutive_gateway_failure);
  out.mutable_consecutive_local_origin_failure()->set_value(in.consecutive_local_origin_failure);
  out.mutable_enforcing_consecutive_5xx()->set_value(in.enforcing_consecutive_5xx);
  out.mutable_enforcing_consecutive_gateway_failure()->set_value(in.enforcing_consecutive_gateway_failure);
  out.mutable_enforcing_consecutive_local_origin_failure()->set_value(in.enforcing_consecutive_local_origin_failure);
  out.set_split_external_local_origin_errors(in.split_external_local_origin_errors);
  Fill(in.interval, *out.mutable_interval());
  Fill(in.base_ejection_time, *out.mutable_base_ejection_time());
  if (in.max_ejection_time) Fill(*in.max_ejection_time, *out.mutable_max_ejection_time());
  if (in.max_ejection_time_jitter != Duration{})
    Fill(in.max_ejection_time_jitter, *out.mutable_max_ejection_time_jitter());
  out.mutable_max_ejection_percent()->set_value(in.max_ejection_percent);
  out.mutable_enforcing_success_rate()->set_value(in.enforcing_success_rate);
  out.mutable_success_rate_minimum_hosts()->set_value(in.success_rate_minimum_hosts);
  out.mutable_success_rate_request_volume()->set_value(in.success_rate_request_volume);
  out.mutable_success_rate_stdev_factor()->set_value(in.success_rate_stdev_factor);
  if (in.successful_active_health_check_uneject_host)
    out.mutable_successful_active_health_check_uneject_host()->set_value(
        *in.successful_active_health_check_uneject_host);
}

}  // namespace plait::xds::encode
