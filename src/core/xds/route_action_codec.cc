#include "core/xds/route_action_codec.h"

#include "core/base/strings.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::route::v3;
using At = DecodeContext::At;

WeightedCluster DecodeWeighted(const pb::WeightedCluster::ClusterWeight& in, DecodeContext& context) {
  context.Honours(in,
                  {"name", "weight", "request_headers_to_add", "request_headers_to_remove", "response_headers_to_add",
                   "response_headers_to_remove", "typed_per_filter_config", "host_rewrite_literal"});
  WeightedCluster out;
  out.name = in.name();
  out.weight = in.weight().value();
  out.host_rewrite = in.host_rewrite_literal();
  out.headers = DecodeHeaderOps(in, context);
  out.per_filter = DecodePerFilter(in.typed_per_filter_config(), context);
  if (out.name.empty()) context.Reject("name is empty");
  return out;
}

void DecodeClusters(const pb::RouteAction& in, RouteAction& out, DecodeContext& context) {
  if (in.has_cluster_header()) {
    out.cluster_header = in.cluster_header();
    if (out.cluster_header.empty()) context.Reject("cluster_header is empty");
    return;
  }
  if (!in.has_weighted_clusters()) {
    if (in.cluster().empty()) return context.Reject("no cluster is set");
    out.clusters.push_back({.name = in.cluster()});
    return;
  }
  const At at(context, "weighted_clusters");
  context.Honours(in.weighted_clusters(), {"clusters", "total_weight"});
  std::uint64_t sum = 0;
  for (int i = 0; i < in.weighted_clusters().clusters_size(); ++i) {
    const At entry(context, "clusters", i);
    out.clusters.push_back(DecodeWeighted(in.weighted_clusters().clusters(i), context));
    sum += out.clusters.back().weight;
  }
  if (in.weighted_clusters().has_total_weight() && in.weighted_clusters().total_weight().value() != sum)
    context.Reject("total_weight is " + std::to_string(in.weighted_clusters().total_weight().value()) +
                   ", the weights add up to " + std::to_string(sum));
  if (sum == 0 || sum > UINT32_MAX) context.Reject("the weights add up to " + std::to_string(sum));
}

HashPolicy DecodeHash(const pb::RouteAction::HashPolicy& in, DecodeContext& context) {
  context.Honours(in, {"header", "cookie", "connection_properties", "query_parameter", "terminal"});
  using Kind = HashPolicy::Kind;
  HashPolicy out;
  out.terminal = in.terminal();
  if (in.has_header()) {
    context.Honours(in.header(), {"header_name", "regex_rewrite"});
    out.name = in.header().header_name();
    if (in.header().has_regex_rewrite()) out.rewrite = DecodeRegexRewrite(in.header().regex_rewrite(), context);
  } else if (in.has_cookie()) {
    context.Honours(in.cookie(), {"name", "ttl", "path", "attributes"});
    out.kind = Kind::kCookie;
    out.name = in.cookie().name();
    out.cookie_path = in.cookie().path();
    if (in.cookie().has_ttl()) out.cookie_ttl = DecodeDuration(in.cookie().ttl(), context);
    for (const auto& attribute : in.cookie().attributes()) context.Honours(attribute, {"name", "value"});
    for (const auto& attribute : in.cookie().attributes())
      out.cookie_attributes.emplace_back(attribute.name(), attribute.value());
  } else if (in.has_connection_properties()) {
    out.kind = Kind::kSourceIp;
    context.Honours(in.connection_properties(), {"source_ip"});
    if (!in.connection_properties().source_ip()) context.Reject("connection_properties.source_ip must be true");
  } else if (in.has_query_parameter()) {
    out.kind = Kind::kQueryParameter;
    context.Honours(in.query_parameter(), {"name"});
    out.name = in.query_parameter().name();
  } else {
    context.Reject("hash policy is not implemented");
  }
  return out;
}

void DecodeRewrites(const pb::RouteAction& in, RouteAction& out, DecodeContext& context) {
  using Kind = HostRewrite::Kind;
  out.prefix_rewrite = in.prefix_rewrite();
  if (in.has_regex_rewrite()) out.regex_rewrite = DecodeRegexRewrite(in.regex_rewrite(), context);
  switch (in.host_rewrite_specifier_case()) {
    case pb::RouteAction::kHostRewriteLiteral:
      out.host_rewrite = {.kind = Kind::kLiteral, .value = in.host_rewrite_literal(), .regex = {}};
      break;
    case pb::RouteAction::kAutoHostRewrite:
      out.host_rewrite.kind = in.auto_host_rewrite().value() ? Kind::kAuto : Kind::kNone;
      break;
    case pb::RouteAction::kHostRewriteHeader:
      out.host_rewrite = {.kind = Kind::kHeader, .value = in.host_rewrite_header(), .regex = {}};
      break;
    case pb::RouteAction::kHostRewritePathRegex:
      out.host_rewrite = {
          .kind = Kind::kPathRegex, .value = {}, .regex = DecodeRegexRewrite(in.host_rewrite_path_regex(), context)};
      break;
    default: break;
  }
}

}  // namespace

HeaderOption DecodeHeaderOption(const envoy::config::core::v3::HeaderValueOption& in, DecodeContext& context) {
  using Pb = envoy::config::core::v3::HeaderValueOption;
  context.Honours(in, {"header", "append", "append_action", "keep_empty_value"});
  context.Honours(in.header(), {"key", "value", "raw_value"});
  HeaderOption out{.name = ToLower(in.header().key()),
                   .value = in.header().value().empty() ? in.header().raw_value() : in.header().value(),
                   .action = static_cast<HeaderOption::Action>(in.append_action()),
                   .keep_empty_value = in.keep_empty_value()};
  if (in.append_action() == Pb::APPEND_IF_EXISTS_OR_ADD && in.has_append() && !in.append().value())
    out.action = HeaderOption::Action::kOverwriteIfExistsOrAdd;
  if (out.name.empty()) context.Reject("header has no key");
  if (!out.name.empty() && (out.name.front() == ':' || out.name == "host") &&
      out.action != HeaderOption::Action::kOverwriteIfExistsOrAdd &&
      out.action != HeaderOption::Action::kOverwriteIfExists)
    context.Reject("header " + out.name + " can only be overwritten");
  return out;
}

RetryPolicy DecodeRetryPolicy(const pb::RetryPolicy& in, DecodeContext& context) {
  const At at(context, "retry_policy");
  context.Honours(in, {"retry_on", "num_retries", "per_try_timeout", "per_try_idle_timeout", "retry_host_predicate",
                       "host_selection_retry_max_attempts", "retriable_status_codes", "retry_back_off",
                       "retriable_headers", "retriable_request_headers"});
  RetryPolicy out;
  // A word that is not known means nothing, as in Envoy.
  for (const std::string_view word : Split(in.retry_on(), ',')) out.retry_on |= ParseRetryOn(word).value_or(0);
  if (in.has_num_retries()) out.num_retries = in.num_retries().value();
  if (in.has_per_try_timeout()) out.per_try_timeout = DecodeDuration(in.per_try_timeout(), context);
  if (in.has_per_try_idle_timeout()) out.per_try_idle_timeout = DecodeDuration(in.per_try_idle_timeout(), context);
  for (const std::uint32_t code : in.retriable_status_codes()) {
    if (code < 100 || code > 599) context.Reject("retriable_status_codes: " + std::to_string(code) + " is no status");
    out.retriable_status_codes.push_back(static_cast<std::uint16_t>(code));
  }
  for (const auto& header : in.retriable_headers())
    out.retriable_headers.push_back(DecodeHeaderMatcher(header, context));
  for (const auto& header : in.retriable_request_headers())
    out.retriable_request_headers.push_back(DecodeHeaderMatcher(header, context));
  if (in.has_retry_back_off()) {
    context.Honours(in.retry_back_off(), {"base_interval", "max_interval"});
    out.back_off_base = DecodeDuration(in.retry_back_off().base_interval(), context);
    if (in.retry_back_off().has_max_interval())
      out.back_off_max = DecodeDuration(in.retry_back_off().max_interval(), context);
    if (out.back_off_base <= Duration(0)) context.Reject("retry_back_off.base_interval must be above 0");
  }
  for (const auto& predicate : in.retry_host_predicate()) {
    context.Honours(predicate, {"name", "typed_config"});
    if (TypeOf(predicate.typed_config()) != "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" &&
        predicate.name() != "envoy.retry_host_predicates.previous_hosts")
      context.Reject("retry_host_predicate " + predicate.name() + " is not implemented");
    out.avoid_previous_hosts = true;
  }
  if (in.host_selection_retry_max_attempts() > 0)
    out.host_selection_max_attempts = static_cast<std::uint32_t>(in.host_selection_retry_max_attempts());
  return out;
}

MirrorPolicy DecodeMirror(const pb::RouteAction::RequestMirrorPolicy& in, DecodeContext& context) {
  context.Honours(in, {"cluster", "runtime_fraction", "trace_sampled", "disable_shadow_host_suffix_append"});
  MirrorPolicy out{.cluster = in.cluster(),
                   .fraction = {},
                   .disable_shadow_host_suffix_append = in.disable_shadow_host_suffix_append()};
  if (in.has_runtime_fraction()) out.fraction = DecodeRuntimeFraction(in.runtime_fraction(), context);
  if (out.cluster.empty()) context.Reject("mirror has no cluster");
  return out;
}

RouteAction DecodeRouteAction(const pb::RouteAction& in, DecodeContext& context) {
  const At at(context, "route");
  context.Honours(in, {"cluster",
                       "cluster_header",
                       "weighted_clusters",
                       "cluster_not_found_response_code",
                       "prefix_rewrite",
                       "regex_rewrite",
                       "host_rewrite_literal",
                       "auto_host_rewrite",
                       "host_rewrite_header",
                       "host_rewrite_path_regex",
                       "append_x_forwarded_host",
                       "timeout",
                       "idle_timeout",
                       "retry_policy",
                       "request_mirror_policies",
                       "priority",
                       "hash_policy",
                       "max_stream_duration",
                       "max_grpc_timeout",
                       "upgrade_configs"});
  RouteAction out;
  DecodeClusters(in, out, context);
  DecodeRewrites(in, out, context);
  if (in.cluster_not_found_response_code() == pb::RouteAction::NOT_FOUND) out.cluster_not_found_status = 404;
  if (in.cluster_not_found_response_code() == pb::RouteAction::INTERNAL_SERVER_ERROR)
    out.cluster_not_found_status = 500;
  out.append_x_forwarded_host = in.append_x_forwarded_host();
  if (in.has_timeout()) out.timeout = DecodeDuration(in.timeout(), context);
  if (in.has_idle_timeout()) out.idle_timeout = DecodeDuration(in.idle_timeout(), context);
  if (in.has_retry_policy()) out.retry = DecodeRetryPolicy(in.retry_policy(), context);
  for (const auto& mirror : in.request_mirror_policies()) out.mirrors.push_back(DecodeMirror(mirror, context));
  for (const auto& hash : in.hash_policy()) out.hash.push_back(DecodeHash(hash, context));
  for (const auto& upgrade : in.upgrade_configs()) {
    context.Honours(upgrade, {"upgrade_type", "enabled"});
    out.upgrades.push_back(
        {.type = upgrade.upgrade_type(), .enabled = !upgrade.has_enabled() || upgrade.enabled().value()});
  }
  out.priority = in.priority() == envoy::config::core::v3::HIGH ? RoutingPriority::kHigh : RoutingPriority::kDefault;
  if (in.has_max_stream_duration()) {
    context.Honours(in.max_stream_duration(),
                    {"max_stream_duration", "grpc_timeout_header_max", "grpc_timeout_header_offset"});
    MaxStreamDuration limit;
    if (in.max_stream_duration().has_max_stream_duration())
      limit.max_stream_duration = DecodeDuration(in.max_stream_duration().max_stream_duration(), context);
    if (in.max_stream_duration().has_grpc_timeout_header_max())
      limit.grpc_timeout_header_max = DecodeDuration(in.max_stream_duration().grpc_timeout_header_max(), context);
    if (in.max_stream_duration().has_grpc_timeout_header_offset())
      limit.grpc_timeout_header_offset = DecodeDuration(in.max_stream_duration().grpc_timeout_header_offset(), context);
    out.max_stream_duration = limit;
  }
  if (in.has_max_grpc_timeout()) out.max_grpc_timeout = DecodeDuration(in.max_grpc_timeout(), context);
  return out;
}

}  // namespace plait::xds
