#include <algorithm>

#include "core/tls/facts.h"
#include "proxy/route/compiled.h"

namespace plait::proxy::route {
namespace {

bool StartsWith(std::string_view text, std::string_view prefix, bool case_sensitive) {
  if (text.size() < prefix.size()) return false;
  return case_sensitive ? text.starts_with(prefix) : EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

bool PathMatches(const CompiledRoute& route, const http::RequestHead& head, std::string_view path) {
  using Kind = xds::PathMatch::Kind;
  const xds::PathMatch& rule = *route.path;
  if (rule.kind == Kind::kConnect) return head.method == "CONNECT";
  if (path.empty()) return false;  // a plain CONNECT has no path
  switch (rule.kind) {
    case Kind::kPrefix: return StartsWith(path, rule.value, rule.case_sensitive);
    case Kind::kExact: return rule.case_sensitive ? path == rule.value : EqualsIgnoreCase(path, rule.value);
    case Kind::kRegex: return match::FullMatch(*route.path_regex, path);
    case Kind::kPathSeparatedPrefix:
      return StartsWith(path, rule.value, rule.case_sensitive) &&
             (path.size() == rule.value.size() || path[rule.value.size()] == '/');
    case Kind::kConnect: break;
  }
  return false;
}

// The lower-cased host to look up; `scratch` is used only when it has capitals.
std::string_view Lowered(std::string_view host, std::string& scratch) {
  if (std::none_of(host.begin(), host.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) return host;
  scratch = ToLower(host);
  return scratch;
}

const CompiledHost* FindByLength(const RouteTable::Compiled::ByLength& table, std::string_view host, bool suffix) {
  for (const auto& [length, names] : table) {
    if (host.size() <= length) continue;  // the star stands for at least one character
    const auto at = names.find(suffix ? host.substr(host.size() - length) : host.substr(0, length));
    if (at != names.end()) return at->second;
  }
  return nullptr;
}

}  // namespace

bool CompiledRoute::Matches(const http::RequestHead& head, std::string_view path_only, const MatchInput& input) const {
  const xds::RouteMatch& rule = config->match;
  if (!PathMatches(*this, head, path_only)) return false;
  if (rule.runtime_fraction && input.random % 1'000'000 >= rule.runtime_fraction->per_million) return false;
  if (rule.grpc && !http::IsGrpc(head.headers)) return false;
  for (const match::HeaderMatch& header : headers) {
    if (!header.Matches(head)) return false;
  }
  if (!query.empty()) {
    const std::string_view text = http::QueryOf(head.path);
    for (const match::QueryMatch& parameter : query) {
      if (!parameter.Matches(text)) return false;
    }
  }
  const bool certificate = input.peer != nullptr && input.peer->peer_certificate;
  if (rule.tls_presented && *rule.tls_presented != certificate) return false;
  return !rule.tls_validated || *rule.tls_validated == certificate;  // what is not valid never gets here
}

const CompiledHost* RouteTable::Compiled::FindHost(std::string_view authority, bool ignore_port, bool any_too) const {
  std::string scratch;
  const std::string_view host = Lowered(ignore_port ? http::HostOnly(authority) : authority, scratch);
  if (!host.empty()) {
    if (const auto at = exact.find(host); at != exact.end()) return at->second;
    if (const CompiledHost* found = FindByLength(suffixes, host, true)) return found;
    if (const CompiledHost* found = FindByLength(prefixes, host, false)) return found;
  }
  return any_too ? any : nullptr;
}

bool RouteTable::KnowsHost(std::string_view authority) const {
  return compiled_->FindHost(authority, config_->ignore_port_in_host_matching, /*any_too=*/false) != nullptr;
}

RouteMatch RouteTable::Match(const http::RequestHead& head, const MatchInput& input) const {
  RouteMatch match;
  const std::string_view authority = input.host_instead.empty() ? std::string_view(head.authority) : input.host_instead;
  const CompiledHost* host = compiled_->FindHost(authority, config_->ignore_port_in_host_matching, /*any_too=*/true);
  if (host == nullptr) return match;
  match.table = shared_from_this();
  using Tls = xds::VirtualHost::RequireTls;
  const Tls tls = host->config->require_tls;
  if (input.forwarded_proto.empty()) return match;  // as Envoy: it has no scheme
  if (input.forwarded_proto != "https" && (tls == Tls::kAll || (tls == Tls::kExternalOnly && input.external))) {
    match.requires_tls_redirect = true;
    return match;
  }
  const std::string_view path = http::PathOnly(head.path);
  const auto at = std::find_if(host->routes.begin(), host->routes.end(),
                               [&](const CompiledRoute& route) { return route.Matches(head, path, input); });
  if (at == host->routes.end()) return match;
  const CompiledRoute& route = *at;
  match.route = &route;
  if (route.action == nullptr) return match;
  if (route.clusters.empty()) {
    const std::string& name = route.action->cluster_header;
    std::string scratch;
    const bool pseudo = name.starts_with(':') || name == "host";
    const auto named = pseudo ? match::HeaderValue(head, name, scratch) : head.headers.Get(name);
    match.cluster = named.value_or("");
    return match;
  }
  std::uint64_t roll = input.random % route.total_weight;
  for (const ClusterChoice& choice : route.clusters) {
    match.choice = &choice;
    if (roll < choice.config->weight) break;
    roll -= choice.config->weight;
  }
  match.cluster = match.choice->config->name;
  return match;
}

}  // namespace plait::proxy::route
