#include "core/xds/cluster_codec.h"

#include "core/xds/common_codec.h"
#include "core/xds/http_connection_manager_codec.h"
#include "core/xds/lb_limits.h"
#include "core/xds/tls_codec.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::cluster::v3;
namespace upstreams = envoy::extensions::upstreams::http::v3;
using At = DecodeContext::At;

constexpr const char* kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

void DecodeType(const pb::Cluster& in, Cluster& out, DecodeContext& context) {
  using Type = Cluster::Type;
  switch (in.type()) {
    case pb::Cluster::STATIC: out.type = Type::kStatic; break;
    case pb::Cluster::STRICT_DNS: out.type = Type::kStrictDns; break;
    case pb::Cluster::LOGICAL_DNS: out.type = Type::kLogicalDns; break;
    case pb::Cluster::EDS: out.type = Type::kEds; break;
    case pb::Cluster::ORIGINAL_DST: out.type = Type::kOriginalDst; break;
    default: context.Reject("cluster type is not implemented");
  }
  if (in.has_cluster_type()) context.Reject("cluster_type (custom clusters) is not implemented");
  if (out.type == Type::kEds) {
    const At at(context, "eds_cluster_config");
    context.Honours(in.eds_cluster_config(), {"eds_config", "service_name"});
    out.eds_service_name = in.eds_cluster_config().service_name();
    const At source(context, "eds_config");
    IsAds(in.eds_cluster_config().eds_config(), context);
    out.eds_fetch_timeout = FetchTimeoutOf(in.eds_cluster_config().eds_config(), context);
  }
}

void DecodeLb(const pb::Cluster& in, LbConfig& out, DecodeContext& context) {
  switch (in.lb_policy()) {
    case pb::Cluster::ROUND_ROBIN: out.policy = LbPolicy::kRoundRobin; break;
    case pb::Cluster::LEAST_REQUEST: out.policy = LbPolicy::kLeastRequest; break;
    case pb::Cluster::RANDOM: out.policy = LbPolicy::kRandom; break;
    case pb::Cluster::RING_HASH: out.policy = LbPolicy::kRingHash; break;
    case pb::Cluster::MAGLEV: out.policy = LbPolicy::kMaglev; break;
    case pb::Cluster::CLUSTER_PROVIDED: out.policy = LbPolicy::kClusterProvided; break;
    default: context.Reject("lb_policy is not implemented");
  }
  context.Honours(in.round_robin_lb_config(), {});
  if (in.has_least_request_lb_config()) {
    context.Honours(in.least_request_lb_config(), {"choice_count"});
    if (in.least_request_lb_config().has_choice_count())
      out.choice_count = in.least_request_lb_config().choice_count().value();
  }
  if (in.has_ring_hash_lb_config()) {
    context.Honours(in.ring_hash_lb_config(), {"minimum_ring_size", "maximum_ring_size"});
    if (in.ring_hash_lb_config().has_minimum_ring_size())
      out.minimum_ring_size = in.ring_hash_lb_config().minimum_ring_size().value();
    if (in.ring_hash_lb_config().has_maximum_ring_size())
      out.maximum_ring_size = in.ring_hash_lb_config().maximum_ring_size().value();
    const At at(context, "ring_hash_lb_config");
    if (out.minimum_ring_size > kMaxRingSize)
      context.Reject("minimum_ring_size: must not be above " + std::to_string(kMaxRingSize));
    if (out.maximum_ring_size > kMaxRingSize)
      context.Reject("maximum_ring_size: must not be above " + std::to_string(kMaxRingSize));
    if (out.minimum_ring_size > out.maximum_ring_size)
      context.Reject("minimum_ring_size: must not be above maximum_ring_size");
  }
  context.Honours(in.maglev_lb_config(), {"table_size"});
  if (in.has_maglev_lb_config() && in.maglev_lb_config().has_table_size())
    out.table_size = in.maglev_lb_config().table_size().value();
  if (!IsMaglevTable(out.table_size)) {
    const At at(context, "maglev_lb_config");
    context.Reject("table_size: must be a prime number up to " + std::to_string(kMaxMaglevTable));
  }
  const auto& common = in.common_lb_config();
  context.Honours(common, {"healthy_panic_threshold", "locality_weighted_lb_config"});
  if (common.has_healthy_panic_threshold()) out.healthy_panic_threshold = common.healthy_panic_threshold().value();
  out.locality_weighted = common.has_locality_weighted_lb_config();
}

CircuitBreakers DecodeThresholds(const pb::CircuitBreakers::Thresholds& in, DecodeContext& context) {
  context.Honours(in, {"priority", "max_connections", "max_pending_requests", "max_requests", "max_retries",
                       "retry_budget", "track_remaining"});
  CircuitBreakers out;
  if (in.has_max_connections()) out.max_connections = in.max_connections().value();
  if (in.has_max_pending_requests()) out.max_pending_requests = in.max_pending_requests().value();
  if (in.has_max_requests()) out.max_requests = in.max_requests().value();
  if (in.has_max_retries()) out.max_retries = in.max_retries().value();
  out.track_remaining = in.track_remaining();
  if (in.has_retry_budget()) {
    RetryBudget budget;
    context.Honours(in.retry_budget(), {"budget_percent", "min_retry_concurrency"});
    if (in.retry_budget().has_budget_percent()) budget.budget_percent = in.retry_budget().budget_percent().value();
    if (in.retry_budget().has_min_retry_concurrency())
      budget.min_retry_concurrency = in.retry_budget().min_retry_concurrency().value();
    out.retry_budget = budget;
  }
  return out;
}

OutlierDetection DecodeOutlier(const pb::OutlierDetection& in, DecodeContext& context) {
  const At at(context, "outlier_detection");
  context.Honours(
      in, {"consecutive_5xx", "interval", "base_ejection_time", "max_ejection_percent", "enforcing_consecutive_5xx",
           "enforcing_success_rate", "success_rate_minimum_hosts", "success_rate_request_volume",
           "success_rate_stdev_factor", "consecutive_gateway_failure", "enforcing_consecutive_gateway_failure",
           "split_external_local_origin_errors", "consecutive_local_origin_failure",
           "enforcing_consecutive_local_origin_failure", "max_ejection_time", "max_ejection_time_jitter"});
  OutlierDetection out;
  const auto number = [](bool has, const google::protobuf::UInt32Value& from, std::uint32_t& to) {
    if (has) to = from.value();
  };
  number(in.has_consecutive_5xx(), in.consecutive_5xx(), out.consecutive_5xx);
  number(in.has_consecutive_gateway_failure(), in.consecutive_gateway_failure(), out.consecutive_gateway_failure);
  number(in.has_consecutive_local_origin_failure(), in.consecutive_local_origin_failure(),
         out.consecutive_local_origin_failure);
  number(in.has_enforcing_consecutive_5xx(), in.enforcing_consecutive_5xx(), out.enforcing_consecutive_5xx);
  number(in.has_enforcing_consecutive_gateway_failure(), in.enforcing_consecutive_gateway_failure(),
         out.enforcing_consecutive_gateway_failure);
  number(in.has_enforcing_consecutive_local_origin_failure(), in.enforcing_consecutive_local_origin_failure(),
         out.enforcing_consecutive_local_origin_failure);
  number(in.has_max_ejection_percent(), in.max_ejection_percent(), out.max_ejection_percent);
  number(in.has_enforcing_success_rate(), in.enforcing_success_rate(), out.enforcing_success_rate);
  number(in.has_success_rate_minimum_hosts(), in.success_rate_minimum_hosts(), out.success_rate_minimum_hosts);
  number(in.has_success_rate_request_volume(), in.success_rate_request_volume(), out.success_rate_request_volume);
  number(in.has_success_rate_stdev_factor(), in.success_rate_stdev_factor(), out.success_rate_stdev_factor);
  out.split_external_local_origin_errors = in.split_external_local_origin_errors();
  if (in.has_interval()) out.interval = DecodeDuration(in.interval(), context);
  if (in.has_base_ejection_time()) out.base_ejection_time = DecodeDuration(in.base_ejection_time(), context);
  if (in.has_max_ejection_time()) out.max_ejection_time = DecodeDuration(in.max_ejection_time(), context);
  if (in.has_max_ejection_time_jitter())
    out.max_ejection_time_jitter = DecodeDuration(in.max_ejection_time_jitter(), context);
  if (out.interval <= Duration(0)) context.Reject("interval must be above 0");
  if (out.base_ejection_time <= Duration(0)) context.Reject("base_ejection_time must be above 0");
  if (in.has_max_ejection_time() && out.max_ejection_time <= Duration(0))
    context.Reject("max_ejection_time must be above 0");
  if (out.max_ejection_percent > 100) context.Reject("max_ejection_percent must not be above 100");
  return out;
}

void DecodeHttpOptions(const pb::Cluster& in, UpstreamHttpOptions& out, DecodeContext& context) {
  using Protocol = UpstreamHttpOptions::Protocol;
  for (const auto& [name, any] : in.typed_extension_protocol_options()) {
    const At at(context, "typed_extension_protocol_options." + name);
    upstreams::HttpProtocolOptions options;
    if (name != kHttpOptions || TypeOf(any) != options.GetTypeName())
      return context.Reject("this extension is not implemented");
    if (!Unpack(any, options, context)) return;
    context.Honours(options, {"common_http_protocol_options", "upstream_http_protocol_options", "explicit_http_config",
                              "use_downstream_protocol_config", "auto_config"});
    out.common = DecodeCommonHttp(options.common_http_protocol_options(), context);
    context.Honours(options.upstream_http_protocol_options(),
                    {"auto_sni", "auto_san_validation", "override_auto_sni_header"});
    out.auto_sni = options.upstream_http_protocol_options().auto_sni();
    out.auto_san_validation = options.upstream_http_protocol_options().auto_san_validation();
    out.override_auto_sni_header = options.upstream_http_protocol_options().override_auto_sni_header();
    if (options.has_explicit_http_config()) {
      const auto& config = options.explicit_http_config();
      context.Honours(config, {"http_protocol_options", "http2_protocol_options"});
      out.protocol = config.has_http2_protocol_options() ? Protocol::kHttp2 : Protocol::kHttp1;
      out.http1 = DecodeHttp1(config.http_protocol_options(), context);
      out.http2 = DecodeHttp2(config.http2_protocol_options(), context);
    } else if (options.has_use_downstream_protocol_config()) {
      const auto& config = options.use_downstream_protocol_config();
      context.Honours(config, {"http_protocol_options", "http2_protocol_options"});
      out.protocol = Protocol::kUseDownstream;
      out.http1 = DecodeHttp1(config.http_protocol_options(), context);
      out.http2 = DecodeHttp2(config.http2_protocol_options(), context);
    } else if (options.has_auto_config()) {
      const auto& config = options.auto_config();
      context.Honours(config, {"http_protocol_options", "http2_protocol_options"});
      out.protocol = Protocol::kAutoByAlpn;
      out.http1 = DecodeHttp1(config.http_protocol_options(), context);
      out.http2 = DecodeHttp2(config.http2_protocol_options(), context);
    }
  }
  if (in.has_http2_protocol_options()) {
    out.protocol = Protocol::kHttp2;
    out.http2 = DecodeHttp2(in.http2_protocol_options(), context);
  }
}

void DecodeTransport(const pb::Cluster& in, Cluster& out, DecodeContext& context) {
  if (in.has_transport_socket()) out.tls = DecodeUpstreamSocket(in.transport_socket(), context);
  for (int i = 0; i < in.transport_socket_matches_size(); ++i) {
    const At at(context, "transport_socket_matches", i);
    const auto& from = in.transport_socket_matches(i);
    context.Honours(from, {"name", "match", "transport_socket"});
    TransportSocketMatch match{
        .name = from.name(), .match = {}, .tls = DecodeUpstreamSocket(from.transport_socket(), context)};
    for (const auto& [key, value] : from.match().fields()) {
      if (!value.has_string_value()) context.Reject("match." + key + " must be a string");
      match.match.emplace(key, value.string_value());
    }
    out.transport_socket_matches.push_back(std::move(match));
  }
}

void DecodeBinding(const pb::Cluster& in, Cluster& out, DecodeContext& context) {
  if (in.has_upstream_bind_config()) {
    const At at(context, "upstream_bind_config");
    context.Honours(in.upstream_bind_config(), {"source_address", "extra_source_addresses"});
    if (in.upstream_bind_config().has_source_address())
      out.bind_address = DecodeSocketAddress(in.upstream_bind_config().source_address(), context);
    else if (in.upstream_bind_config().extra_source_addresses_size() > 0)  // as Envoy
      context.Reject("extra_source_addresses need a source_address");
    for (const auto& extra : in.upstream_bind_config().extra_source_addresses()) {
      context.Honours(extra, {"address"});
      out.extra_bind_addresses.push_back(DecodeSocketAddress(extra.address(), context));
    }
  }
  if (!in.has_upstream_connection_options()) return;
  const At at(context, "upstream_connection_options");
  context.Honours(in.upstream_connection_options(), {"tcp_keepalive"});
  out.set_local_interface_name_on_upstream_connections =
      in.upstream_connection_options().set_local_interface_name_on_upstream_connections();
  if (!in.upstream_connection_options().has_tcp_keepalive()) return;
  const auto& keep = in.upstream_connection_options().tcp_keepalive();
  context.Honours(keep, {"keepalive_probes", "keepalive_time", "keepalive_interval"});
  TcpKeepAlive alive;
  if (keep.has_keepalive_probes()) alive.probes = keep.keepalive_probes().value();
  if (keep.has_keepalive_time()) alive.time_s = keep.keepalive_time().value();
  if (keep.has_keepalive_interval()) alive.interval_s = keep.keepalive_interval().value();
  out.tcp_keep_alive = alive;
}

void DecodeMetadata(const pb::Cluster& in, Cluster& out) {
  const auto& all = in.metadata().filter_metadata();
  if (const auto plait = all.find("plait.dev"); plait != all.end()) {
    const auto& fields = plait->second.fields();
    if (const auto pin = fields.find("pin_original_dst"); pin != fields.end())
      out.pin_original_dst = pin->second.bool_value();
    if (const auto by = fields.find("refused_by"); by != fields.end()) out.refused_by = by->second.string_value();
  }
  const auto istio = all.find("istio");
  if (istio == all.end()) return;
  const auto& fields = istio->second.fields();
  if (const auto config = fields.find("config"); config != fields.end())
    out.istio_config = config->second.string_value();
  if (const auto port = fields.find("default_original_port"); port != fields.end()) {
    const double number = port->second.number_value();
    if (number >= 1 && number <= 65535) out.istio_default_original_port = static_cast<std::uint16_t>(number);
  }
  const auto services = fields.find("services");
  if (services == fields.end()) return;
  for (const auto& service : services->second.list_value().values()) {
    const auto& parts = service.struct_value().fields();
    const auto text = [&](const char* key) {
      const auto at = parts.find(key);
      return at == parts.end() ? std::string() : at->second.string_value();
    };
    out.istio_services.push_back({.host = text("host"), .name = text("name"), .name_space = text("namespace")});
  }
}

// An interval between questions to resolvers, within Envoy's bounds.
Duration DecodeInterval(const google::protobuf::Duration& in, DecodeContext& context, const char* field) {
  const At at(context, field);
  const Duration interval = DecodeDuration(in, context);
  if (interval <= std::chrono::milliseconds(1)) context.Reject("must be above 1 ms");
  return interval;
}

void DecodeDns(const pb::Cluster& in, Cluster& out, DecodeContext& context) {
  out.dns_lookup_family = static_cast<DnsLookupFamily>(in.dns_lookup_family());
  if (in.has_dns_refresh_rate())
    out.dns_refresh_rate = DecodeInterval(in.dns_refresh_rate(), context, "dns_refresh_rate");
  out.respect_dns_ttl = in.respect_dns_ttl();
  if (in.has_dns_jitter()) out.dns_jitter = DecodeDuration(in.dns_jitter(), context);
  if (!in.has_dns_failure_refresh_rate()) return;
  const At at(context, "dns_failure_refresh_rate");
  const pb::Cluster::RefreshRate& from = in.dns_failure_refresh_rate();
  context.Honours(from, {"base_interval", "max_interval"});
  DnsFailureRefreshRate& to = out.dns_failure_refresh_rate.emplace();
  to.base_interval = DecodeInterval(from.base_interval(), context, "base_interval");
  constexpr int kMostByDefault = 10;  // times the base, as in Envoy
  to.max_interval =
      to.base_interval > Duration::max() / kMostByDefault ? Duration::max() : to.base_interval * kMostByDefault;
  if (from.has_max_interval()) to.max_interval = DecodeInterval(from.max_interval(), context, "max_interval");
  if (to.max_interval < to.base_interval) context.Reject("max_interval must not be below base_interval");
}

// What a type needs and what it excludes, as Envoy checks it.
void CheckType(const pb::Cluster& in, const Cluster& out, DecodeContext& context) {
  using Type = Cluster::Type;
  const bool listed = out.type == Type::kStatic || out.type == Type::kStrictDns || out.type == Type::kLogicalDns;
  if (listed && !in.has_load_assignment()) context.Reject("load_assignment must be set for this type");
  if (!listed && in.has_load_assignment())
    context.Reject("load_assignment is only for STATIC, STRICT_DNS and LOGICAL_DNS");
  if ((out.type == Type::kOriginalDst) != (out.lb.policy == LbPolicy::kClusterProvided))
    context.Reject("lb_policy CLUSTER_PROVIDED goes with type ORIGINAL_DST, and only with it");
  if (out.type == Type::kLogicalDns &&
      (out.load_assignment.localities.size() != 1 || out.load_assignment.localities[0].endpoints.size() != 1))
    context.Reject("a LOGICAL_DNS cluster has exactly one endpoint");
}

}  // namespace

Cluster DecodeClusterMessage(const pb::Cluster& in, DecodeContext& context) {
  context.Honours(in, {"name",
                       "alt_stat_name",
                       "type",
                       "eds_cluster_config",
                       "connect_timeout",
                       "per_connection_buffer_limit_bytes",
                       "lb_policy",
                       "load_assignment",
                       "circuit_breakers",
                       "http2_protocol_options",
                       "typed_extension_protocol_options",
                       "dns_refresh_rate",
                       "dns_failure_refresh_rate",
                       "dns_jitter",
                       "respect_dns_ttl",
                       "dns_lookup_family",
                       "outlier_detection",
                       "cleanup_interval",
                       "upstream_bind_config",
                       "ring_hash_lb_config",
                       "maglev_lb_config",
                       "least_request_lb_config",
                       "round_robin_lb_config",
                       "original_dst_lb_config",
                       "common_lb_config",
                       "transport_socket",
                       "transport_socket_matches",
                       "upstream_connection_options"});
  Cluster out;
  out.name = in.name();
  if (out.name.empty()) context.Reject("name is empty");
  out.alt_stat_name = in.alt_stat_name();
  DecodeType(in, out, context);
  if (in.has_load_assignment()) {
    const At at(context, "load_assignment");
    out.load_assignment = DecodeAssignment(
        in.load_assignment(), context, out.type == Cluster::Type::kStrictDns || out.type == Cluster::Type::kLogicalDns);
  }
  if (in.has_connect_timeout()) out.connect_timeout = DecodeDuration(in.connect_timeout(), context);
  if (in.has_per_connection_buffer_limit_bytes())
    out.per_connection_buffer_limit = in.per_connection_buffer_limit_bytes().value();
  if (out.connect_timeout <= Duration(0)) context.Reject("connect_timeout must be above 0");
  DecodeLb(in, out.lb, context);
  CheckType(in, out, context);
  context.Honours(in.circuit_breakers(), {"thresholds"});
  for (const auto& thresholds : in.circuit_breakers().thresholds()) {
    const At at(context, "circuit_breakers");
    if (thresholds.priority() == envoy::config::core::v3::HIGH)
      out.high_priority_breakers = DecodeThresholds(thresholds, context);
    else
      out.circuit_breakers = DecodeThresholds(thresholds, context);
  }
  if (in.has_outlier_detection()) out.outlier_detection = DecodeOutlier(in.outlier_detection(), context);
  DecodeHttpOptions(in, out.http, context);
  DecodeTransport(in, out, context);
  DecodeDns(in, out, context);
  if (in.has_original_dst_lb_config()) {
    context.Honours(in.original_dst_lb_config(), {"use_http_header", "http_header_name", "upstream_port_override"});
    out.original_dst = OriginalDstConfig{.use_http_header = in.original_dst_lb_config().use_http_header(),
                                         .http_header_name = in.original_dst_lb_config().http_header_name(),
                                         .port_override = {}};
    if (in.original_dst_lb_config().has_upstream_port_override())
      out.original_dst->port_override =
          DecodePort(in.original_dst_lb_config().upstream_port_override().value(), context);
  }
  for (const auto& filter : in.filters())
    if (filter.name() != "istio.metadata_exchange")
      context.Reject("filters: \"" + filter.name() + "\" is not implemented");
  if (in.has_cleanup_interval()) out.cleanup_interval = DecodeDuration(in.cleanup_interval(), context);
  DecodeBinding(in, out, context);
  out.ignore_health_on_host_removal = in.ignore_health_on_host_removal();
  DecodeMetadata(in, out);
  return out;
}

}  // namespace plait::xds
