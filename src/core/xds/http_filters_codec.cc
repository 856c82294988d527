#include "core/xds/http_filters_codec.h"

#include <google/protobuf/util/json_util.h>

#include "core/xds/common_codec.h"
#include "core/xds/rbac_codec.h"
#include "envoy/config/filter/http/alpn/v2alpha1/config.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/rbac/v3/rbac.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/stats/config.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace plait::xds {
namespace {
namespace filters = envoy::extensions::filters::http;
using At = DecodeContext::At;

constexpr std::string_view kTypedStruct = "udpa.type.v1.TypedStruct";
constexpr std::string_view kXdsTypedStruct = "xds.type.v3.TypedStruct";

RbacFilter DecodeRbac(const filters::rbac::v3::RBAC& in, DecodeContext& context) {
  context.Honours(in, {"rules", "shadow_rules", "shadow_rules_stat_prefix"});
  RbacFilter out;
  {
    const At at(context, "rules");
    if (in.has_rules()) out.rules = DecodeRbacRules(in.rules(), context);
  }
  const At at(context, "shadow_rules");
  if (in.has_shadow_rules()) out.shadow_rules = DecodeRbacRules(in.shadow_rules(), context);
  out.rules_stat_prefix = in.rules_stat_prefix();
  out.shadow_rules_stat_prefix = in.shadow_rules_stat_prefix();
  return out;
}

CorsPolicy DecodeCors(const filters::cors::v3::CorsPolicy& in, DecodeContext& context) {
  context.Honours(in, {"allow_origin_string_match", "allow_methods", "allow_headers", "expose_headers", "max_age",
                       "allow_credentials", "filter_enabled", "forward_not_matching_preflights"});
  CorsPolicy out;
  for (const auto& origin : in.allow_origin_string_match())
    out.allow_origins.push_back(DecodeStringMatcher(origin, context));
  out.allow_methods = in.allow_methods();
  out.allow_headers = in.allow_headers();
  out.expose_headers = in.expose_headers();
  out.max_age = in.max_age();
  out.allow_credentials = in.allow_credentials().value();
  if (in.has_filter_enabled()) out.enabled = DecodeRuntimeFraction(in.filter_enabled(), context);
  if (in.has_forward_not_matching_preflights())
    out.forward_not_matching_preflights = in.forward_not_matching_preflights().value();
  return out;
}

FaultPolicy DecodeFault(const filters::fault::v3::HTTPFault& in, DecodeContext& context) {
  context.Honours(in, {"abort", "delay", "upstream_cluster", "headers", "max_active_faults"});
  FaultPolicy out;
  if (in.has_abort()) {
    context.Honours(in.abort(), {"http_status", "grpc_status", "percentage"});
    FaultPolicy::Abort abort;
    abort.http_status = static_cast<std::uint16_t>(in.abort().http_status());
    if (in.abort().error_type_case() == filters::fault::v3::FaultAbort::kGrpcStatus)
      abort.grpc_status = in.abort().grpc_status();
    abort.fraction = DecodeFraction(in.abort().percentage());
    if (!abort.grpc_status && (abort.http_status < 200 || abort.http_status > 599))
      context.Reject("abort.http_status must be 200..599");
    out.abort = abort;
  }
  if (in.has_delay()) {
    context.Honours(in.delay(), {"fixed_delay", "percentage"});
    out.delay = FaultPolicy::Delay{.fixed = DecodeDuration(in.delay().fixed_delay(), context),
                                   .fraction = DecodeFraction(in.delay().percentage())};
  }
  out.upstream_cluster = in.upstream_cluster();
  for (const auto& header : in.headers()) out.headers.push_back(DecodeHeaderMatcher(header, context));
  if (in.has_max_active_faults()) out.max_active_faults = in.max_active_faults().value();
  return out;
}

IstioStatsFilter DecodeIstioStats(const stats::PluginConfig& in, DecodeContext& context) {
  context.Honours(in, {});
  return {.disable_host_header_fallback = in.disable_host_header_fallback()};
}

// istio.stats as Istio's own control plane writes it: stats.PluginConfig as a JSON-like structure.
std::optional<HttpFilterConfig> DecodeTypedStruct(const google::protobuf::Any& in, DecodeContext& context) {
  ::xds::type::v3::TypedStruct typed;  // udpa.type.v1's has the same fields
  if (!Unpack(in, typed, context)) return std::nullopt;
  context.Honours(typed, {"type_url", "value"});
  stats::PluginConfig plugin;
  if (!std::string_view(typed.type_url()).ends_with("/" + plugin.GetTypeName())) return std::nullopt;
  std::string json;
  namespace util = google::protobuf::util;
  if (!util::MessageToJsonString(typed.value(), &json).ok() || !util::JsonStringToMessage(json, &plugin).ok()) {
    context.Reject("the structure is not a " + plugin.GetTypeName());
    return std::nullopt;
  }
  return DecodeIstioStats(plugin, context);
}

std::optional<HttpFilterConfig> DecodeConfig(const google::protobuf::Any& in, DecodeContext& context) {
  const std::string_view type = TypeOf(in);
  if (filters::router::v3::Router router; type == router.GetTypeName()) {
    if (!Unpack(in, router, context)) return std::nullopt;
    context.Honours(router, {"dynamic_stats", "suppress_envoy_headers", "respect_expected_rq_timeout"});
    return RouterFilter{.suppress_envoy_headers = router.suppress_envoy_headers(),
                        .start_child_span = router.start_child_span(),
                        .respect_expected_rq_timeout = router.respect_expected_rq_timeout()};
  }
  if (filters::rbac::v3::RBAC rbac; type == rbac.GetTypeName())
    return Unpack(in, rbac, context) ? std::optional<HttpFilterConfig>(DecodeRbac(rbac, context)) : std::nullopt;
  if (filters::cors::v3::Cors cors; type == cors.GetTypeName()) return CorsFilter{};
  if (filters::fault::v3::HTTPFault fault; type == fault.GetTypeName())
    return Unpack(in, fault, context) ? std::optional<HttpFilterConfig>(DecodeFault(fault, context)) : std::nullopt;
  if (filters::grpc_stats::v3::FilterConfig stats; type == stats.GetTypeName()) {
    if (!Unpack(in, stats, context)) return std::nullopt;
    context.Honours(stats, {});
    return GrpcStatsFilter{.emit_filter_state = stats.emit_filter_state(),
                           .stats_for_all_methods = stats.stats_for_all_methods().value()};
  }
  if (type == kTypedStruct || type == kXdsTypedStruct) return DecodeTypedStruct(in, context);
  if (stats::PluginConfig plugin; type == plugin.GetTypeName()) {
    return Unpack(in, plugin, context) ? std::optional<HttpFilterConfig>(DecodeIstioStats(plugin, context))
                                       : std::nullopt;
  }
  if (istio::envoy::config::filter::http::alpn::v2alpha1::FilterConfig alpn; type == alpn.GetTypeName()) {
    // Which ALPN goes to the upstream for which downstream protocol: Plait's own rule is the same (semantics.md 3).
    if (Unpack(in, alpn, context)) context.Honours(alpn, {});
    return IstioAlpnFilter{};
  }
  return std::nullopt;
}

}  // namespace

std::optional<HttpFilter> DecodeHttpFilter(
    const envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter& in, DecodeContext& context) {
  context.Honours(in, {"name", "typed_config", "is_optional", "disabled"});
  auto config = DecodeConfig(in.typed_config(), context);
  if (config)
    return HttpFilter{
        .name = in.name(), .config = std::move(*config), .is_optional = in.is_optional(), .disabled = in.disabled()};
  if (!in.is_optional())
    context.Reject("HTTP filter \"" + in.name() + "\" of type \"" + std::string(TypeOf(in.typed_config())) +
                   "\" is not implemented");
  return std::nullopt;
}

std::optional<HttpFilterOverride> DecodeFilterOverride(const google::protobuf::Any& in, DecodeContext& context) {
  const std::string_view type = TypeOf(in);
  if (filters::rbac::v3::RBACPerRoute rbac; type == rbac.GetTypeName()) {
    if (!Unpack(in, rbac, context)) return std::nullopt;
    context.Honours(rbac, {"rbac"});
    return RbacOverride{.rbac = rbac.has_rbac() ? std::optional(DecodeRbac(rbac.rbac(), context)) : std::nullopt};
  }
  if (filters::cors::v3::CorsPolicy cors; type == cors.GetTypeName())
    return Unpack(in, cors, context) ? std::optional<HttpFilterOverride>(DecodeCors(cors, context)) : std::nullopt;
  if (filters::fault::v3::HTTPFault fault; type == fault.GetTypeName())
    return Unpack(in, fault, context) ? std::optional<HttpFilterOverride>(DecodeFault(fault, context)) : std::nullopt;
  if (envoy::config::route::v3::FilterConfig filter; type == filter.GetTypeName()) {
    if (!Unpack(in, filter, context)) return std::nullopt;
    context.Honours(filter, {"config", "is_optional", "disabled"});
    if (filter.has_config() && !filter.config().type_url().empty())
      return DecodeFilterOverride(filter.config(), context);
    return FilterSwitch{.disabled = filter.disabled()};
  }
  context.Reject("per-filter configuration of type \"" + std::string(type) + "\" is not implemented");
  return std::nullopt;
}

}  // namespace plait::xds
