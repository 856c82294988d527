#include "core/xds/encode/encode.h"
#include "core/xds/encode/parts.h"
#include "core/xds/encode/route_parts.h"
#include "envoy/config/route/v3/route.pb.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // fields that Envoy still reads and the structs still have

namespace plait::xds {
namespace encode {
namespace {
namespace pb = envoy::config::route::v3;

void FillMatch(const RouteMatch& in, pb::RouteMatch& out) {
  switch (in.path.kind) {
    case PathMatch::Kind::kPrefix: out.set_prefix(in.path.value); break;
    case PathMatch::Kind::kExact: out.set_path(in.path.value); break;
    case PathMatch::Kind::kRegex: out.mutable_safe_regex()->set_regex(in.path.value); break;
    case PathMatch::Kind::kPathSeparatedPrefix: out.set_path_separated_prefix(in.path.value); break;
    case PathMatch::Kind::kConnect: out.mutable_connect_matcher(); break;
  }
  if (!in.path.case_sensitive) out.mutable_case_sensitive()->set_value(false);
  for (const HeaderMatcher& header : in.headers) Fill(header, *out.add_headers());
  for (const QueryParameterMatcher& parameter : in.query_parameters) {
    pb::QueryParameterMatcher& to = *out.add_query_parameters();
    to.set_name(parameter.name);
    if (const auto* present = std::get_if<PresentMatcher>(&parameter.value)) {
      to.set_present_match(present->present);
    } else {
      Fill(std::get<StringMatcher>(parameter.value), *to.mutable_string_match());
    }
  }
  if (in.runtime_fraction) Fill(*in.runtime_fraction, *out.mutable_runtime_fraction());
  if (in.grpc) out.mutable_grpc();
  if (in.tls_presented) out.mutable_tls_context()->mutable_presented()->set_value(*in.tls_presented);
  if (in.tls_validated) out.mutable_tls_context()->mutable_validated()->set_value(*in.tls_validated);
}

pb::RedirectAction::RedirectResponseCode RedirectCode(std::uint16_t status) {
  switch (status) {
    case 302: return pb::RedirectAction::FOUND;
    case 303: return pb::RedirectAction::SEE_OTHER;
    case 307: return pb::RedirectAction::TEMPORARY_REDIRECT;
    case 308: return pb::RedirectAction::PERMANENT_REDIRECT;
    default: return pb::RedirectAction::MOVED_PERMANENTLY;
  }
}

struct FillAction {
  pb::Route& out;
  void operator()(const RouteAction& in) const { Fill(in, *out.mutable_route()); }
  void operator()(const RedirectAction& in) const {
    pb::RedirectAction& to = *out.mutable_redirect();
    if (!in.scheme.empty()) {
      to.set_scheme_redirect(in.scheme);
    } else if (in.https_redirect) {
      to.set_https_redirect(true);
    }
    to.set_host_redirect(in.host);
    to.set_port_redirect(in.port);
    if (!in.path.empty()) to.set_path_redirect(in.path);
    if (!in.prefix_rewrite.empty()) to.set_prefix_rewrite(in.prefix_rewrite);
    if (in.regex_rewrite) Fill(*in.regex_rewrite, *to.mutable_regex_rewrite());
    to.set_response_code(RedirectCode(in.status));
    to.set_strip_query(in.strip_query);
  }
  void operator()(const DirectResponse& in) const {
    out.mutable_direct_response()->set_status(in.status);
    if (in.body.kind != DataSource::Kind::kNone) Fill(in.body, *out.mutable_direct_response()->mutable_body());
  }
  void operator()(const NonForwarding&) const { out.mutable_non_forwarding_action(); }
};

void FillRoute(const Route& in, pb::Route& out) {
  out.set_name(in.name);
  FillMatch(in.match, *out.mutable_match());
  std::visit(FillAction{out}, in.action);
  FillHeaders(in.headers, out);
  FillPerFilter(in.per_filter, *out.mutable_typed_per_filter_config());
  if (!in.operation.empty()) {
    out.mutable_decorator()->set_operation(in.operation);
    if (!in.propagate_operation) out.mutable_decorator()->mutable_propagate()->set_value(false);
  }
  if (!in.istio_config.empty()) SetMetadata(*out.mutable_metadata(), "istio", "config", in.istio_config);
  if (in.per_request_buffer_limit)
    out.mutable_per_request_buffer_limit_bytes()->set_value(*in.per_request_buffer_limit);
}

void FillVirtualHost(const VirtualHost& in, pb::VirtualHost& out) {
  constexpr pb::VirtualHost::TlsRequirementType kTls[] = {pb::VirtualHost::NONE, pb::VirtualHost::EXTERNAL_ONLY,
                                                          pb::VirtualHost::ALL};
  out.set_name(in.name);
  for (const std::string& domain : in.domains) out.add_domains(domain);
  for (const Route& route : in.routes) FillRoute(route, *out.add_routes());
  out.set_require_tls(kTls[static_cast<std::size_t>(in.require_tls)]);
  FillHeaders(in.headers, out);
  FillPerFilter(in.per_filter, *out.mutable_typed_per_filter_config());
  if (in.retry) Fill(*in.retry, *out.mutable_retry_policy());
  for (const MirrorPolicy& mirror : in.mirrors) Fill(mirror, *out.add_request_mirror_policies());
  out.set_include_request_attempt_count(in.include_request_attempt_count);
  out.set_include_attempt_count_in_response(in.include_attempt_count_in_response);
  if (in.per_request_buffer_limit)
    out.mutable_per_request_buffer_limit_bytes()->set_value(*in.per_request_buffer_limit);
}

}  // namespace

void Fill(const RouteConfiguration& in, pb::RouteConfiguration& out) {
  out.set_name(in.name);
  for (const VirtualHost& host : in.virtual_hosts) FillVirtualHost(host, *out.add_virtual_hosts());
  FillHeaders(in.headers, out);
  FillPerFilter(in.per_filter, *out.mutable_typed_per_filter_config());
  for (const std::string& header : in.internal_only_headers) out.add_internal_only_headers(header);
  if (in.validate_clusters) out.mutable_validate_clusters()->set_value(*in.validate_clusters);
  out.set_most_specific_header_mutations_wins(in.most_specific_header_mutations_wins);
  out.set_ignore_port_in_host_matching(in.ignore_port_in_host_matching);
  if (in.max_direct_response_body_size != 4096)
    out.mutable_max_direct_response_body_size_bytes()->set_value(in.max_direct_response_body_size);
  for (const MirrorPolicy& mirror : in.mirrors) Fill(mirror, *out.add_request_mirror_policies());
}

}  // namespace encode

std::string Encode(const RouteConfiguration& routes) {
  envoy::config::route::v3::RouteConfiguration out;
  encode::Fill(routes, out);
  return encode::Bytes(out);
}

}  // namespace plait::xds
