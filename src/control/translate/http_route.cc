#include "control/translate/http_route.h"

#include <cmath>

#include "control/model/hosts.h"
#include "control/translate/destinations.h"
#include "control/translate/names.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
using model::StringMatch;
using xds::HeaderMatcher;
using xds::StringMatcher;

xds::Fraction ToFraction(double percent) { return {static_cast<std::uint32_t>(std::lround(percent * 10'000))}; }

StringMatcher ToMatcher(const StringMatch& from) {
  switch (from.kind) {
    case StringMatch::Kind::kPrefix: return {.kind = StringMatcher::Kind::kPrefix, .value = from.value};
    case StringMatch::Kind::kRegex: return {.kind = StringMatcher::Kind::kRegex, .value = from.value};
    default: return {.kind = StringMatcher::Kind::kExact, .value = from.value};
  }
}

HeaderMatcher ToHeader(std::string name, const StringMatch& match, bool invert) {
  HeaderMatcher out{.name = std::move(name), .invert = invert};
  if (match.kind == StringMatch::Kind::kPresent) return out;
  out.value = ToMatcher(match);
  // To Envoy a matcher of a value never matches where the header is missing, also when it is inverted; but a request
  // without the header has none with this value.
  out.treat_missing_as_empty = invert;
  return out;
}

xds::PathMatch ToPath(const std::optional<StringMatch>& uri, bool ignore_case) {
  xds::PathMatch out;
  if (!uri || uri->kind == StringMatch::Kind::kPresent) return out;
  out.value = uri->value;
  out.kind = uri->kind == StringMatch::Kind::kExact    ? xds::PathMatch::Kind::kExact
             : uri->kind == StringMatch::Kind::kPrefix ? xds::PathMatch::Kind::kPrefix
                                                       : xds::PathMatch::Kind::kRegex;
  out.case_sensitive = !ignore_case || out.kind == xds::PathMatch::Kind::kRegex;
  return out;
}

xds::RouteMatch ToMatch(const model::HttpMatch& from) {
  xds::RouteMatch out;
  out.path = ToPath(from.uri, from.ignore_uri_case);
  for (const auto& [name, match] : from.headers) out.headers.push_back(ToHeader(name, match, false));
  for (const auto& [name, match] : from.without_headers) out.headers.push_back(ToHeader(name, match, true));
  if (from.method) out.headers.push_back(ToHeader(":method", *from.method, false));
  if (from.authority) out.headers.push_back(ToHeader(":authority", *from.authority, false));
  if (from.scheme) out.headers.push_back(ToHeader(":scheme", *from.scheme, false));
  for (const auto& [name, match] : from.query) {
    xds::QueryParameterMatcher parameter{.name = name};
    if (match.kind != StringMatch::Kind::kPresent) parameter.value = ToMatcher(match);
    out.query_parameters.push_back(std::move(parameter));
  }
  return out;
}

// `host` receives a Host that is set: that is a rewrite, not a header operation.
xds::HeaderOps ToOps(const model::MessageEdits& from, std::string* host) {
  using Action = xds::HeaderOption::Action;
  xds::HeaderOps out;
  for (const auto& [name, value] : from.request.set) {
    if (model::IsHostHeader(name)) {
      if (host) *host = value;
      continue;
    }
    out.request_add.push_back({name, value, Action::kOverwriteIfExistsOrAdd});
  }
  for (const auto& [name, value] : from.request.add)
    if (!model::IsHostHeader(name)) out.request_add.push_back({name, value, Action::kAppendIfExistsOrAdd});
  for (const auto& [name, value] : from.response.set)
    out.response_add.push_back({name, value, Action::kOverwriteIfExistsOrAdd});
  for (const auto& [name, value] : from.response.add)
    out.response_add.push_back({name, value, Action::kAppendIfExistsOrAdd});
  out.request_remove = from.request.remove;
  out.response_remove = from.response.remove;
  return out;
}

constexpr std::string_view kDefaultRetryOn =
    "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

std::optional<xds::RetryPolicy> ToRetry(const model::Snapshot& snapshot, const std::optional<model::HttpRetry>& rule,
                                        bool hashed) {
  const model::HttpRetry retry = rule ? *rule : snapshot.mesh().default_retry.value_or(model::HttpRetry{});
  if (retry.attempts == 0) return std::nullopt;
  xds::RetryPolicy out;
  out.num_retries = retry.attempts;
  out.per_try_timeout = retry.per_try_timeout;
  if (retry.backoff) out.back_off_base = *retry.backoff;
  for (std::string_view word :
       Split(retry.retry_on.empty() ? kDefaultRetryOn : std::string_view(retry.retry_on), ',')) {
    word = Trim(word);
    if (const auto status = ParseUint(word); status && *status >= 100 && *status <= 599) {
      out.retriable_status_codes.push_back(static_cast<std::uint16_t>(*status));
      out.retry_on |= xds::kRetryRetriableStatusCodes;
    } else if (const auto bits = xds::ParseRetryOn(word)) {
      out.retry_on |= *bits;
    }
  }
  // With consistent hashing another host than the hashed one would be wrong.
  out.avoid_previous_hosts = retry.ignore_previous_hosts && !hashed;
  out.host_selection_max_attempts = 5;
  return out;
}

std::vector<xds::HashPolicy> ToHash(const model::TrafficPolicy& policy) {
  if (!policy.load_balancer || !policy.load_balancer->consistent_hash) return {};
  const model::ConsistentHash& from = *policy.load_balancer->consistent_hash;
  xds::HashPolicy out;
  out.name = from.name;
  switch (from.key) {
    case model::ConsistentHash::Key::kHeader: break;
    case model::ConsistentHash::Key::kSourceIp: out.kind = xds::HashPolicy::Kind::kSourceIp; break;
    case model::ConsistentHash::Key::kQueryParameter: out.kind = xds::HashPolicy::Kind::kQueryParameter; break;
    case model::ConsistentHash::Key::kCookie:
      out.kind = xds::HashPolicy::Kind::kCookie;
      out.cookie_ttl = from.cookie_ttl;
      out.cookie_path = from.cookie_path;
      out.cookie_attributes = from.cookie_attributes;
      break;
  }
  return {out};
}

// Zero: none, and of gRPC the call's own deadline alone. As Istio does it: with max_stream_duration an Envoy does
// without the timeout.
void SetTimeout(Duration timeout, xds::RouteAction& action) {
  action.timeout = timeout;
  action.max_grpc_timeout = timeout;
}

class RuleTranslator {
 public:
  RuleTranslator(const RouteScope& scope, const model::VirtualService& service, const model::HttpRule& rule)
      : scope_(scope), service_(service), rule_(rule) {}

  xds::Route Route(const model::HttpMatch* match) const {
    xds::Route out;
    out.name = rule_.name;
    if (match && !match->name.empty()) out.name += (out.name.empty() ? "" : ".") + match->name;
    if (match) out.match = ToMatch(*match);
    out.istio_config = service_.meta.ConfigPath();
    std::string host;
    out.headers = ToOps(rule_.headers, &host);
    if (rule_.redirect)
      out.action = Redirect(*rule_.redirect);
    else if (rule_.direct_response)
      out.action = Response(*rule_.direct_response);
    else
      out.action = Forward(host);
    if (rule_.fault) out.per_filter["envoy.filters.http.fault"] = Fault(*rule_.fault);
    if (rule_.cors) out.per_filter["envoy.filters.http.cors"] = Cors(*rule_.cors);
    out.operation = Operation();
    return out;
  }

 private:
  std::string Operation() const {
    if (rule_.destinations.empty()) return {};
    const model::Destination& first = rule_.destinations.front().destination;
    const std::string cluster = Cluster(first);
    const auto name = ParseOutboundCluster(cluster);
    return name ? std::string(name->hostname) + ":" + std::to_string(name->port) + "/*" : "";
  }

  std::string Cluster(const model::Destination& destination) const {
    return ClusterOf(scope_.proxy, scope_.snapshot, destination, service_.meta.name_space(), scope_.port);
  }

  xds::RouteAction Forward(const std::string& host) const {
    xds::RouteAction out;
    SetTimeout(rule_.timeout.value_or(Duration::zero()), out);
    for (const model::WeightedDestination& destination : rule_.destinations) {
      if (destination.weight == 0) continue;
      xds::WeightedCluster cluster;
      cluster.name = Cluster(destination.destination);
      cluster.weight = destination.weight;
      cluster.headers = ToOps(destination.headers, &cluster.host_rewrite);
      out.clusters.push_back(std::move(cluster));
    }
    if (out.clusters.size() == 1) out.clusters[0].weight = 1;
    if (const auto target = FindOutboundTarget(scope_.proxy, scope_.snapshot, out.clusters.front().name))
      out.hash = ToHash(target->policy);
    out.retry = ToRetry(scope_.snapshot, rule_.retries, !out.hash.empty());
    out.prefix_rewrite = rule_.rewrite.uri;
    if (!rule_.rewrite.regex.empty())
      out.regex_rewrite = xds::RegexRewrite{rule_.rewrite.regex, rule_.rewrite.substitution};
    const std::string& authority = rule_.rewrite.authority.empty() ? host : rule_.rewrite.authority;
    if (!authority.empty()) out.host_rewrite = {.kind = xds::HostRewrite::Kind::kLiteral, .value = authority};
    for (const model::HttpMirror& mirror : rule_.mirrors)
      out.mirrors.push_back({.cluster = Cluster(mirror.destination), .fraction = ToFraction(mirror.percent)});
    return out;
  }

  xds::RedirectAction Redirect(const model::HttpRedirect& from) const {
    xds::RedirectAction out;
    out.host = from.authority;
    out.path = from.uri;
    if (from.uri.empty()) out.prefix_rewrite = from.prefix_rewrite;
    out.scheme = from.scheme;
    out.status = from.code;
    // Routes are made for one port, so the request's port is known.
    out.port = from.port_of_request ? scope_.port : from.port;
    return out;
  }

  static xds::DirectResponse Response(const model::DirectResponse& from) {
    xds::DirectResponse out{.status = from.status};
    if (!from.body.empty()) out.body = {xds::DataSource::Kind::kInline, from.body};
    return out;
  }

  static xds::FaultPolicy Fault(const model::HttpFault& from) {
    xds::FaultPolicy out;
    if (from.delay) out.delay = xds::FaultPolicy::Delay{*from.delay, ToFraction(from.delay_percent)};
    if (from.abort_status != 0 || from.abort_grpc_status)
      out.abort = xds::FaultPolicy::Abort{from.abort_status, from.abort_grpc_status, ToFraction(from.abort_percent)};
    return out;
  }

  static xds::CorsPolicy Cors(const model::CorsPolicy& from) {
    xds::CorsPolicy out;
    for (const StringMatch& origin : from.allow_origins) out.allow_origins.push_back(ToMatcher(origin));
    out.allow_methods = Join(from.allow_methods, ",");
    out.allow_headers = Join(from.allow_headers, ",");
    out.expose_headers = Join(from.expose_headers, ",");
    if (from.max_age)
      out.max_age = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*from.max_age).count());
    out.allow_credentials = from.allow_credentials;
    out.forward_not_matching_preflights = from.forward_unmatched_preflights;
    return out;
  }

  const RouteScope& scope_;
  const model::VirtualService& service_;
  const model::HttpRule& rule_;
};
}  // namespace

std::vector<xds::Route> HttpRoutes(const RouteScope& scope, const model::VirtualService& service) {
  std::vector<xds::Route> out;
  for (const model::HttpRule& rule : service.http) {
    const RuleTranslator translator(scope, service, rule);
    if (rule.matches.empty()) {
      out.push_back(translator.Route(nullptr));
      return out;  // nothing comes through to a later rule
    }
    for (const model::HttpMatch& match : rule.matches)
      if (IsForClient(match.source, scope.proxy, scope.gateway, scope.port)) out.push_back(translator.Route(&match));
  }
  return out;
}

xds::Route DefaultRoute(const RouteScope& scope, const model::ServiceView& service, const model::ServicePort& port) {
  xds::Route out;
  out.name = "default";
  xds::RouteAction action;
  SetTimeout(Duration::zero(), action);
  action.clusters.push_back({.name = OutboundCluster(port.port, "", service.hostname)});
  if (const auto target = FindOutboundTarget(scope.proxy, scope.snapshot, action.clusters[0].name))
    action.hash = ToHash(target->policy);
  action.retry = ToRetry(scope.snapshot, std::nullopt, !action.hash.empty());
  out.action = std::move(action);
  out.operation = service.hostname + ":" + std::to_string(port.port) + "/*";
  return out;
}

}  // namespace plait::control::translate
