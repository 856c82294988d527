#include "core/xds/route_codec.h"

#include <numeric>
#include <set>

#include "core/base/strings.h"
#include "core/xds/common_codec.h"
#include "core/xds/http_filters_codec.h"
#include "core/xds/route_action_codec.h"
#include "envoy/config/route/v3/route.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::route::v3;
using At = DecodeContext::At;

RouteMatch DecodeMatch(const pb::RouteMatch& in, DecodeContext& context) {
  const At at(context, "match");
  context.Honours(in, {"prefix", "path", "safe_regex", "path_separated_prefix", "connect_matcher", "case_sensitive",
                       "runtime_fraction", "headers", "query_parameters", "grpc", "tls_context"});
  RouteMatch out;
  using Kind = PathMatch::Kind;
  switch (in.path_specifier_case()) {
    case pb::RouteMatch::kPrefix: out.path = {.kind = Kind::kPrefix, .value = in.prefix()}; break;
    case pb::RouteMatch::kPath: out.path = {.kind = Kind::kExact, .value = in.path()}; break;
    case pb::RouteMatch::kSafeRegex:
      out.path = {.kind = Kind::kRegex, .value = DecodeRegex(in.safe_regex(), context)};
      break;
    case pb::RouteMatch::kPathSeparatedPrefix:
      out.path = {.kind = Kind::kPathSeparatedPrefix, .value = in.path_separated_prefix()};
      break;
    case pb::RouteMatch::kConnectMatcher: out.path = {.kind = Kind::kConnect, .value = {}}; break;
    default: context.Reject("no path specifier is set");
  }
  if (out.path.kind == Kind::kPathSeparatedPrefix &&
      (out.path.value.empty() || out.path.value.front() != '/' || out.path.value.ends_with('/')))
    context.Reject("path_separated_prefix must begin with / and not end with it");
  if (in.has_case_sensitive()) out.path.case_sensitive = in.case_sensitive().value();
  for (int i = 0; i < in.headers_size(); ++i) {
    const At header(context, "headers", i);
    out.headers.push_back(DecodeHeaderMatcher(in.headers(i), context));
  }
  for (int i = 0; i < in.query_parameters_size(); ++i) {
    const At parameter(context, "query_parameters", i);
    const auto& from = in.query_parameters(i);
    context.Honours(from, {"name", "string_match", "present_match"});
    QueryParameterMatcher matcher{.name = from.name(), .value = PresentMatcher{}};
    if (from.has_string_match()) matcher.value = DecodeStringMatcher(from.string_match(), context);
    if (from.has_present_match()) matcher.value = PresentMatcher{from.present_match()};
    out.query_parameters.push_back(std::move(matcher));
  }
  if (in.has_runtime_fraction()) out.runtime_fraction = DecodeRuntimeFraction(in.runtime_fraction(), context);
  out.grpc = in.has_grpc();
  if (in.has_tls_context()) {
    context.Honours(in.tls_context(), {"presented", "validated"});
    if (in.tls_context().has_presented()) out.tls_presented = in.tls_context().presented().value();
    if (in.tls_context().has_validated()) out.tls_validated = in.tls_context().validated().value();
  }
  return out;
}

RedirectAction DecodeRedirect(const pb::RedirectAction& in, DecodeContext& context) {
  const At at(context, "redirect");
  context.Honours(in, {"https_redirect", "scheme_redirect", "host_redirect", "port_redirect", "path_redirect",
                       "prefix_rewrite", "regex_rewrite", "response_code", "strip_query"});
  RedirectAction out;
  out.https_redirect = in.https_redirect();
  out.scheme = in.scheme_redirect();
  out.host = in.host_redirect();
  out.port = DecodePort(in.port_redirect(), context);
  out.path = in.path_redirect();
  out.prefix_rewrite = in.prefix_rewrite();
  if (in.has_regex_rewrite()) out.regex_rewrite = DecodeRegexRewrite(in.regex_rewrite(), context);
  out.strip_query = in.strip_query();
  switch (in.response_code()) {
    case pb::RedirectAction::FOUND: out.status = 302; break;
    case pb::RedirectAction::SEE_OTHER: out.status = 303; break;
    case pb::RedirectAction::TEMPORARY_REDIRECT: out.status = 307; break;
    case pb::RedirectAction::PERMANENT_REDIRECT: out.status = 308; break;
    default: out.status = 301;
  }
  return out;
}

Route DecodeRoute(const pb::Route& in, DecodeContext& context) {
  context.Honours(
      in, {"name", "match", "route", "redirect", "direct_response", "non_forwarding_action", "typed_per_filter_config",
           "request_headers_to_add", "request_headers_to_remove", "response_headers_to_add",
           "response_headers_to_remove", "decorator", "per_request_buffer_limit_bytes"});
  Route out;
  out.name = in.name();
  out.match = DecodeMatch(in.match(), context);
  switch (in.action_case()) {
    case pb::Route::kRoute: out.action = DecodeRouteAction(in.route(), context); break;
    case pb::Route::kRedirect: out.action = DecodeRedirect(in.redirect(), context); break;
    case pb::Route::kDirectResponse: {
      const At at(context, "direct_response");
      context.Honours(in.direct_response(), {"status", "body"});
      out.action = DirectResponse{.status = static_cast<std::uint16_t>(in.direct_response().status()),
                                  .body = DecodeDataSource(in.direct_response().body(), context)};
      if (in.direct_response().status() < 200 || in.direct_response().status() > 599)
        context.Reject("status must be 200..599");
      break;
    }
    case pb::Route::kNonForwardingAction: out.action = NonForwarding{}; break;
    default: context.Reject("the route has no action that is implemented");
  }
  out.headers = DecodeHeaderOps(in, context);
  out.per_filter = DecodePerFilter(in.typed_per_filter_config(), context);
  context.Honours(in.decorator(), {"operation", "propagate"});
  out.operation = in.decorator().operation();
  if (in.decorator().has_propagate()) out.propagate_operation = in.decorator().propagate().value();
  if (const auto istio = in.metadata().filter_metadata().find("istio"); istio != in.metadata().filter_metadata().end())
    if (const auto config = istio->second.fields().find("config"); config != istio->second.fields().end())
      out.istio_config = config->second.string_value();
  if (in.has_per_request_buffer_limit_bytes())
    out.per_request_buffer_limit = in.per_request_buffer_limit_bytes().value();
  return out;
}

VirtualHost DecodeVirtualHost(const pb::VirtualHost& in, DecodeContext& context) {
  context.Honours(in, {"name", "domains", "routes", "require_tls", "request_headers_to_add",
                       "request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove",
                       "typed_per_filter_config", "include_request_attempt_count", "include_attempt_count_in_response",
                       "retry_policy", "per_request_buffer_limit_bytes", "request_mirror_policies"});
  VirtualHost out;
  out.name = in.name();
  out.domains = {in.domains().begin(), in.domains().end()};
  if (in.name().empty()) context.Reject("name is empty");
  if (out.domains.empty()) context.Reject("domains are empty");
  for (int i = 0; i < in.routes_size(); ++i) {
    const At at(context, "routes", i);
    out.routes.push_back(DecodeRoute(in.routes(i), context));
  }
  out.require_tls = static_cast<VirtualHost::RequireTls>(in.require_tls());
  out.headers = DecodeHeaderOps(in, context);
  out.per_filter = DecodePerFilter(in.typed_per_filter_config(), context);
  if (in.has_retry_policy()) out.retry = DecodeRetryPolicy(in.retry_policy(), context);
  for (const auto& mirror : in.request_mirror_policies()) out.mirrors.push_back(DecodeMirror(mirror, context));
  out.include_request_attempt_count = in.include_request_attempt_count();
  out.include_attempt_count_in_response = in.include_attempt_count_in_response();
  if (in.has_per_request_buffer_limit_bytes())
    out.per_request_buffer_limit = in.per_request_buffer_limit_bytes().value();
  return out;
}

void CheckDirectResponses(const RouteConfiguration& routes, DecodeContext& context) {
  for (const VirtualHost& host : routes.virtual_hosts)
    for (const Route& route : host.routes) {
      const auto* direct = std::get_if<DirectResponse>(&route.action);
      if (direct != nullptr && direct->body.kind == DataSource::Kind::kInline &&
          direct->body.value.size() > routes.max_direct_response_body_size)
        context.Reject("direct_response: the body has " + std::to_string(direct->body.value.size()) +
                       " bytes, more than max_direct_response_body_size_bytes (" +
                       std::to_string(routes.max_direct_response_body_size) + ")");
    }
}

}  // namespace

RouteConfiguration DecodeRoutes(const pb::RouteConfiguration& in, DecodeContext& context) {
  context.Honours(
      in, {"name", "virtual_hosts", "internal_only_headers", "response_headers_to_add", "response_headers_to_remove",
           "request_headers_to_add", "request_headers_to_remove", "most_specific_header_mutations_wins",
           "validate_clusters", "max_direct_response_body_size_bytes", "ignore_port_in_host_matching",
           "request_mirror_policies", "typed_per_filter_config"});
  RouteConfiguration out;
  out.name = in.name();
  std::set<std::string> domains;
  for (int i = 0; i < in.virtual_hosts_size(); ++i) {
    const At at(context, "virtual_hosts", i);
    out.virtual_hosts.push_back(DecodeVirtualHost(in.virtual_hosts(i), context));
    for (const std::string& domain : out.virtual_hosts.back().domains)
      if (!domains.insert(ToLower(domain)).second)
        context.Reject("domain \"" + domain + "\" stands in two virtual hosts");
  }
  out.headers = DecodeHeaderOps(in, context);
  out.per_filter = DecodePerFilter(in.typed_per_filter_config(), context);
  out.internal_only_headers = {in.internal_only_headers().begin(), in.internal_only_headers().end()};
  if (in.has_validate_clusters()) out.validate_clusters = in.validate_clusters().value();
  out.most_specific_header_mutations_wins = in.most_specific_header_mutations_wins();
  out.ignore_port_in_host_matching = in.ignore_port_in_host_matching();
  if (in.has_max_direct_response_body_size_bytes())
    out.max_direct_response_body_size = in.max_direct_response_body_size_bytes().value();
  for (const auto& mirror : in.request_mirror_policies()) out.mirrors.push_back(DecodeMirror(mirror, context));
  CheckDirectResponses(out, context);
  return out;
}

}  // namespace plait::xds
