#include "core/xds/encode/parts.h"
#include "core/xds/encode/route_parts.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"

namespace plait::xds::encode {
namespace {
namespace pb = envoy::config::route::v3;

void FillClusters(const RouteAction& in, pb::RouteAction& out) {
  if (!in.cluster_header.empty()) {
    out.set_cluster_header(in.cluster_header);
    return;
  }
  if (in.clusters.size() == 1 && in.clusters[0] == WeightedCluster{.name = in.clusters[0].name}) {
    out.set_cluster(in.clusters[0].name);
    return;
  }
  for (const WeightedCluster& cluster : in.clusters) {
    auto& to = *out.mutable_weighted_clusters()->add_clusters();
    to.set_name(cluster.name);
    to.mutable_weight()->set_value(cluster.weight);
    if (!cluster.host_rewrite.empty()) to.set_host_rewrite_literal(cluster.host_rewrite);
    FillHeaders(cluster.headers, to);
    FillPerFilter(cluster.per_filter, *to.mutable_typed_per_filter_config());
  }
}

void FillRewrites(const RouteAction& in, pb::RouteAction& out) {
  out.set_prefix_rewrite(in.prefix_rewrite);
  if (in.regex_rewrite) Fill(*in.regex_rewrite, *out.mutable_regex_rewrite());
  switch (in.host_rewrite.kind) {
    case HostRewrite::Kind::kNone: break;
    case HostRewrite::Kind::kLiteral: out.set_host_rewrite_literal(in.host_rewrite.value); break;
    case HostRewrite::Kind::kAuto: out.mutable_auto_host_rewrite()->set_value(true); break;
    case HostRewrite::Kind::kHeader: out.set_host_rewrite_header(in.host_rewrite.value); break;
    case HostRewrite::Kind::kPathRegex: Fill(in.host_rewrite.regex, *out.mutable_host_rewrite_path_regex()); break;
  }
  out.set_append_x_forwarded_host(in.append_x_forwarded_host);
}

void FillHash(const HashPolicy& in, pb::RouteAction::HashPolicy& out) {
  switch (in.kind) {
    case HashPolicy::Kind::kHeader:
      out.mutable_header()->set_header_name(in.name);
      if (in.rewrite) Fill(*in.rewrite, *out.mutable_header()->mutable_regex_rewrite());
      break;
    case HashPolicy::Kind::kCookie:
      out.mutable_cookie()->set_name(in.name);
      out.mutable_cookie()->set_path(in.cookie_path);
      if (in.cookie_ttl) Fill(*in.cookie_ttl, *out.mutable_cookie()->mutable_ttl());
      for (const auto& [name, value] : in.cookie_attributes) {
        auto& attribute = *out.mutable_cookie()->add_attributes();
        attribute.set_name(name);
        attribute.set_value(value);
      }
      break;
    case HashPolicy::Kind::kSourceIp: out.mutable_connection_properties()->set_source_ip(true); break;
    case HashPolicy::Kind::kQueryParameter: out.mutable_query_parameter()->set_name(in.name); break;
  }
  out.set_terminal(in.terminal);
}

void FillLimits(const MaxStreamDuration& in, pb::RouteAction::MaxStreamDuration& out) {
  if (in.max_stream_duration) Fill(*in.max_stream_duration, *out.mutable_max_stream_duration());
  if (in.grpc_timeout_header_max) Fill(*in.grpc_timeout_header_max, *out.mutable_grpc_timeout_header_max());
  if (in.grpc_timeout_header_offset) Fill(*in.grpc_timeout_header_offset, *out.mutable_grpc_timeout_header_offset());
}

}  // namespace

void Fill(const HeaderOption& in, envoy::config::core::v3::HeaderValueOption& out) {
  using Pb = envoy::config::core::v3::HeaderValueOption;
  constexpr Pb::HeaderAppendAction kActions[] = {Pb::APPEND_IF_EXISTS_OR_ADD, Pb::ADD_IF_ABSENT,
                                                 Pb::OVERWRITE_IF_EXISTS_OR_ADD, Pb::OVERWRITE_IF_EXISTS};
  out.mutable_header()->set_key(in.name);
  out.mutable_header()->set_value(in.value);
  out.set_append_action(kActions[static_cast<std::size_t>(in.action)]);
  out.set_keep_empty_value(in.keep_empty_value);
}

void Fill(const RetryPolicy& in, pb::RetryPolicy& out) {
  out.set_retry_on(FormatRetryOn(in.retry_on));
  out.mutable_num_retries()->set_value(in.num_retries);
  if (in.per_try_timeout) Fill(*in.per_try_timeout, *out.mutable_per_try_timeout());
  if (in.per_try_idle_timeout) Fill(*in.per_try_idle_timeout, *out.mutable_per_try_idle_timeout());
  for (const std::uint16_t code : in.retriable_status_codes) out.add_retriable_status_codes(code);
  for (const HeaderMatcher& header : in.retriable_headers) Fill(header, *out.add_retriable_headers());
  for (const HeaderMatcher& header : in.retriable_request_headers) Fill(header, *out.add_retriable_request_headers());
  if (in.back_off_base != std::chrono::milliseconds(25) || in.back_off_max) {
    Fill(in.back_off_base, *out.mutable_retry_back_off()->mutable_base_interval());
    if (in.back_off_max) Fill(*in.back_off_max, *out.mutable_retry_back_off()->mutable_max_interval());
  }
  if (in.avoid_previous_hosts) {
    auto& predicate = *out.add_retry_host_predicate();
    predicate.set_name("envoy.retry_host_predicates.previous_hosts");
    Pack(envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate(),
         *predicate.mutable_typed_config());
  }
  if (in.host_selection_max_attempts != 1) out.set_host_selection_retry_max_attempts(in.host_selection_max_attempts);
}

void Fill(const MirrorPolicy& in, pb::RouteAction_RequestMirrorPolicy& out) {
  out.set_cluster(in.cluster);
  Fill(in.fraction, *out.mutable_runtime_fraction());
  out.set_disable_shadow_host_suffix_append(in.disable_shadow_host_suffix_append);
}

void Fill(const RouteAction& in, pb::RouteAction& out) {
  FillClusters(in, out);
  FillRewrites(in, out);
  if (in.cluster_not_found_status == 404) out.set_cluster_not_found_response_code(pb::RouteAction::NOT_FOUND);
  if (in.cluster_not_found_status == 500)
    out.set_cluster_not_found_response_code(pb::RouteAction::INTERNAL_SERVER_ERROR);
  if (in.timeout) Fill(*in.timeout, *out.mutable_timeout());
  if (in.idle_timeout) Fill(*in.idle_timeout, *out.mutable_idle_timeout());
  if (in.max_stream_duration) FillLimits(*in.max_stream_duration, *out.mutable_max_stream_duration());
  if (in.max_grpc_timeout) Fill(*in.max_grpc_timeout, *out.mutable_max_grpc_timeout());
  if (in.retry) Fill(*in.retry, *out.mutable_retry_policy());
  for (const MirrorPolicy& mirror : in.mirrors) Fill(mirror, *out.add_request_mirror_policies());
  for (const HashPolicy& hash : in.hash) FillHash(hash, *out.add_hash_policy());
  for (const UpgradeConfig& upgrade : in.upgrades) {
    auto& to = *out.add_upgrade_configs();
    to.set_upgrade_type(upgrade.type);
    if (!upgrade.enabled) to.mutable_enabled()->set_value(false);
  }
  if (in.priority == RoutingPriority::kHigh) out.set_priority(envoy::config::core::v3::HIGH);
}

}  // namespace plait::xds::encode
