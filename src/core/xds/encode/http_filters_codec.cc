#include "core/xds/encode/parts.h"
#include "envoy/config/rbac/v3/rbac.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "envoy/extensions/filters/http/rbac/v3/rbac.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // fields that Envoy still reads and the structs still have

namespace plait::xds::encode {
namespace {
namespace filters = envoy::extensions::filters::http;
using google::protobuf::Any;

filters::rbac::v3::RBAC ToMessage(const RbacFilter& in) {
  filters::rbac::v3::RBAC out;
  if (in.rules) Fill(*in.rules, *out.mutable_rules());
  if (in.shadow_rules) Fill(*in.shadow_rules, *out.mutable_shadow_rules());
  out.set_rules_stat_prefix(in.rules_stat_prefix);
  out.set_shadow_rules_stat_prefix(in.shadow_rules_stat_prefix);
  return out;
}

filters::fault::v3::HTTPFault ToMessage(const FaultPolicy& in) {
  filters::fault::v3::HTTPFault out;
  if (in.abort) {
    auto& abort = *out.mutable_abort();
    if (in.abort->grpc_status) {
      abort.set_grpc_status(*in.abort->grpc_status);
    } else {
      abort.set_http_status(in.abort->http_status);
    }
    Fill(in.abort->fraction, *abort.mutable_percentage());
  }
  if (in.delay) {
    Fill(in.delay->fixed, *out.mutable_delay()->mutable_fixed_delay());
    Fill(in.delay->fraction, *out.mutable_delay()->mutable_percentage());
  }
  out.set_upstream_cluster(in.upstream_cluster);
  for (const HeaderMatcher& header : in.headers) Fill(header, *out.add_headers());
  if (in.max_active_faults) out.mutable_max_active_faults()->set_value(*in.max_active_faults);
  return out;
}

filters::cors::v3::CorsPolicy ToMessage(const CorsPolicy& in) {
  filters::cors::v3::CorsPolicy out;
  for (const StringMatcher& origin : in.allow_origins) Fill(origin, *out.add_allow_origin_string_match());
  out.set_allow_methods(in.allow_methods);
  out.set_allow_headers(in.allow_headers);
  out.set_expose_headers(in.expose_headers);
  out.set_max_age(in.max_age);
  if (in.allow_credentials) out.mutable_allow_credentials()->set_value(true);
  if (in.enabled) Fill(*in.enabled, *out.mutable_filter_enabled());
  if (!in.forward_not_matching_preflights) out.mutable_forward_not_matching_preflights()->set_value(false);
  return out;
}

// Istio's own filters: their messages have no C++ here; an empty one says all that Plait needs.
void PackEmpty(const char* type, Any& out) { out.set_type_url(std::string("type.googleapis.com/") + type); }

struct PackConfig {
  Any& out;
  void operator()(const RouterFilter& in) const {
    filters::router::v3::Router message;
    message.set_suppress_envoy_headers(in.suppress_envoy_headers);
    message.set_start_child_span(in.start_child_span);
    message.set_respect_expected_rq_timeout(in.respect_expected_rq_timeout);
    Pack(message, out);
  }
  void operator()(const RbacFilter& in) const { Pack(ToMessage(in), out); }
  void operator()(const CorsFilter&) const { Pack(filters::cors::v3::Cors(), out); }
  void operator()(const FaultPolicy& in) const { Pack(ToMessage(in), out); }
  void operator()(const IstioAlpnFilter&) const {
    PackEmpty("istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig", out);
  }
  void operator()(const IstioStatsFilter& in) const {
    PackEmpty("stats.PluginConfig", out);
    if (in.disable_host_header_fallback) out.set_value("\x30\x01");  // field 6, true
  }
  void operator()(const GrpcStatsFilter& in) const {
    filters::grpc_stats::v3::FilterConfig message;
    message.set_emit_filter_state(in.emit_filter_state);
    message.mutable_stats_for_all_methods()->set_value(in.stats_for_all_methods);
    Pack(message, out);
  }
};

struct PackOverride {
  Any& out;
  void operator()(const FilterSwitch& in) const {
    envoy::config::route::v3::FilterConfig message;
    message.set_disabled(in.disabled);
    if (!in.disabled) message.mutable_config();
    Pack(message, out);
  }
  void operator()(const RbacOverride& in) const {
    filters::rbac::v3::RBACPerRoute message;
    if (in.rbac) *message.mutable_rbac() = ToMessage(*in.rbac);
    Pack(message, out);
  }
  void operator()(const CorsPolicy& in) const { Pack(ToMessage(in), out); }
  void operator()(const FaultPolicy& in) const { Pack(ToMessage(in), out); }
};

}  // namespace

void Fill(const HttpFilter& in, envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter& out) {
  out.set_name(in.name);
  std::visit(PackConfig{*out.mutable_typed_config()}, in.config);
  out.set_is_optional(in.is_optional);
  out.set_disabled(in.disabled);
}

void Pack(const HttpFilterOverride& in, Any& out) { std::visit(PackOverride{out}, in); }

}  // namespace plait::xds::encode
