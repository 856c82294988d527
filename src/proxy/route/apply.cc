// What a chosen route does to the request and the response.
#include <algorithm>
#include <array>
#include <bit>

#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "proxy/lb/hash.h"
#include "proxy/route/compiled.h"

namespace plait::proxy::route {
namespace {

// The header rules of a match, most specific first; the configuration may turn the order of route, host and table.
std::array<const HeaderRules*, 4> RulesOf(const RouteMatch& match) {
  std::array<const HeaderRules*, 4> rules{};
  if (match.choice != nullptr) rules[0] = match.choice->headers.get();
  if (match.route != nullptr) {
    rules[1] = Full(*match.route).rules.get();
    rules[2] = Full(*match.route).host->rules.get();
  }
  rules[3] = match.table->compiled().rules.get();
  // Envoy's weighted clusters always come first.
  if (match.table->config().most_specific_header_mutations_wins) std::reverse(rules.begin() + 1, rules.end());
  return rules;
}

struct HostRewriting {
  bool append_x_forwarded_host = false;
  bool keep_original = false;  // as x-envoy-original-host
};

void SetAuthority(http::RequestHead& head, std::string_view authority, HostRewriting how) {
  if (how.keep_original) head.headers.Set("x-envoy-original-host", head.authority);
  if (how.append_x_forwarded_host && !head.authority.empty()) {
    const auto before = head.headers.Get("x-forwarded-host");
    const bool last = before && before->substr(before->rfind(',') + 1) == head.authority;
    if (!last)
      head.headers.Set("x-forwarded-host", before ? std::string(*before) + "," + head.authority : head.authority);
  }
  head.authority = authority;
}

void RewriteHost(const CompiledRoute& route, const ClusterChoice* choice, bool keep_original, http::RequestHead& head) {
  using Kind = xds::HostRewrite::Kind;
  const xds::RouteAction& action = *route.action;
  const HostRewriting how{action.append_x_forwarded_host, keep_original};
  if (choice != nullptr && !choice->config->host_rewrite.empty()) head.authority = choice->config->host_rewrite;
  switch (action.host_rewrite.kind) {
    case Kind::kNone:
    case Kind::kAuto: return;  // auto: ApplyAutoHost
    case Kind::kLiteral: return SetAuthority(head, action.host_rewrite.value, how);
    case Kind::kHeader:
      if (const auto value = head.headers.Get(action.host_rewrite.value); value && !value->empty()) {
        SetAuthority(head, std::string(*value), how);
      }
      return;
    case Kind::kPathRegex: {
      std::string host(http::PathOnly(head.path));
      match::ReplaceAll(*route.host_regex, action.host_rewrite.regex.substitution, host);
      if (host.empty()) return;
      return SetAuthority(head, host, how);
    }
  }
}

// The bytes of the path that the route's path match matched.
std::size_t MatchedLength(const CompiledRoute& route, std::string_view path_only) {
  using Kind = xds::PathMatch::Kind;
  const Kind kind = route.path->kind;
  return kind == Kind::kPrefix || kind == Kind::kPathSeparatedPrefix ? route.path->value.size() : path_only.size();
}

// The rewritten target (path and query); nullopt when nothing rewrites it.
std::optional<std::string> RewrittenPath(const CompiledRoute& route, const std::string& prefix,
                                         const std::optional<xds::RegexRewrite>& regex, const std::string& target) {
  const std::string_view path = http::PathOnly(target);
  const std::string_view rest = std::string_view(target).substr(path.size());
  if (!prefix.empty()) {
    const std::size_t matched = std::min(MatchedLength(route, path), path.size());
    return prefix + std::string(path.substr(matched)) + std::string(rest);
  }
  if (!regex) return std::nullopt;
  std::string rewritten(path);
  match::ReplaceAll(*route.rewrite_regex, regex->substitution, rewritten);
  if (rewritten.empty()) return std::nullopt;  // no request can be for nothing: it stays what it was, as in Envoy
  return rewritten + std::string(rest);
}

// What the edge has found out (SetScheme of a session): never the text of a client.
std::string_view SchemeOf(const http::RequestHead& head) {
  return head.scheme.empty() ? std::string_view("http") : std::string_view(head.scheme);
}

// The request's host for a redirect: its port goes when another takes its place, or when it was the default of the old
// scheme. That is the forwarded one, as in Envoy: the URL's own may be another.
std::string_view RedirectHost(const http::RequestHead& head, std::string_view new_scheme, bool new_port) {
  const std::string_view authority = head.authority;
  const std::string_view host = http::HostOnly(authority);
  if (host.size() == authority.size()) return authority;
  bool drop = new_port;
  const auto forwarded = head.headers.GetJoined("x-forwarded-proto");
  if (const std::string_view old = forwarded ? *forwarded : SchemeOf(head); old != new_scheme) {
    const std::string_view port = authority.substr(host.size());
    drop =
        drop || (EqualsIgnoreCase(old, "https") && port == ":443") || (EqualsIgnoreCase(old, "http") && port == ":80");
  }
  return drop ? host : authority;
}

std::string RedirectPath(const CompiledRoute& route, const xds::RedirectAction& action, const std::string& target) {
  const std::string_view path = http::PathOnly(target);
  const std::string_view query = std::string_view(target).substr(path.size());
  if (!action.path.empty()) {
    const bool own_query = action.path.find('?') != std::string::npos;  // then it stays, whatever strip_query says
    return own_query || action.strip_query ? action.path : action.path + std::string(query);
  }
  const std::string rewritten =
      RewrittenPath(route, action.prefix_rewrite, action.regex_rewrite, target).value_or(target);
  return action.strip_query ? std::string(http::PathOnly(rewritten)) : rewritten;
}

}  // namespace

void FinalizeRequest(const RouteMatch& match, http::RequestHead& head, const record::StreamRecord& record,
                     bool keep_originals) {
  if (match.route == nullptr) return;
  for (const HeaderRules* rules : RulesOf(match)) {
    if (rules != nullptr) rules->ApplyToRequest(head.headers, record);
  }
  const CompiledRoute& route = Full(*match.route);
  if (route.action == nullptr) return;
  RewriteHost(route, match.choice, keep_originals, head);
  if (auto path = RewrittenPath(route, route.action->prefix_rewrite, route.action->regex_rewrite, head.path)) {
    if (keep_originals) head.headers.Set("x-envoy-original-path", head.path);
    head.path = *std::move(path);
  }
}

void ApplyAutoHost(const RouteMatch& match, std::string_view upstream_hostname, bool keep_original,
                   http::RequestHead& head) {
  if (match.route == nullptr || match.route->action == nullptr || upstream_hostname.empty()) return;
  const xds::RouteAction& action = *match.route->action;
  if (action.host_rewrite.kind != xds::HostRewrite::Kind::kAuto) return;
  // A second attempt at the same host: what it replaced is remembered already.
  if (head.authority == upstream_hostname && head.headers.Has("x-envoy-original-host")) return;
  SetAuthority(head, upstream_hostname, {action.append_x_forwarded_host, keep_original});
}

void FinalizeResponse(const RouteMatch& match, http::ResponseHead& head, const record::StreamRecord& record) {
  if (match.route == nullptr) return;
  for (const HeaderRules* rules : RulesOf(match)) {
    if (rules != nullptr) rules->ApplyToResponse(head.headers, record);
  }
}

std::string DirectLocation(const http::RequestHead& head) {
  const std::string_view scheme = SchemeOf(head);
  return std::string(scheme) + "://" + std::string(RedirectHost(head, scheme, false)) + head.path;
}

Redirect MakeRedirect(const RouteMatch& match, const http::RequestHead& head) {
  if (match.requires_tls_redirect) return {.status = 301, .location = "https://" + head.authority + head.path};
  const CompiledRoute& route = Full(*match.route);
  const xds::RedirectAction& action = *route.redirect;
  const std::string_view scheme = !action.scheme.empty()  ? std::string_view(action.scheme)
                                  : action.https_redirect ? std::string_view("https")
                                                          : SchemeOf(head);
  std::string location(scheme);
  location += "://";
  location += action.host.empty() ? RedirectHost(head, scheme, action.port != 0) : std::string_view(action.host);
  if (action.port != 0) location += ":" + std::to_string(action.port);
  const std::string path = RedirectPath(route, action, head.path);
  if (!path.starts_with('/')) location += '/';  // else it would go on with the name of the host
  location += path;
  return {.status = action.status, .location = std::move(location)};
}

namespace {

std::optional<std::string> CookieOf(const http::Headers& headers, std::string_view name) {
  const auto cookies = headers.GetJoined("cookie");
  if (!cookies) return std::nullopt;
  for (std::string_view pair : Split(*cookies, ';')) {
    const auto [key, value] = SplitOnce(Trim(pair), '=');
    if (key != name || !value) continue;
    std::string_view text = Trim(*value);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    return std::string(text);
  }
  return std::nullopt;
}

std::vector<std::string> ValuesOf(const http::RequestHead& head, const std::string& name) {
  std::vector<std::string> values;
  if (name.starts_with(':') || EqualsIgnoreCase(name, "host")) {
    std::string scratch;
    if (const auto value = match::HeaderValue(head, name, scratch)) values.emplace_back(*value);
    return values;
  }
  for (const http::HeaderView field : head.headers) {
    if (EqualsIgnoreCase(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

// A cookie for a client that has none: derived from its connection, so that its next request without it goes the same
// way.
std::string MakeCookie(const xds::HashPolicy& policy, const record::StreamRecord& record, std::string& value) {
  const std::string seed =
      record.remote.ToString() + (record.connection != nullptr ? record.connection->local.ToString() : "");
  const std::uint64_t hash = std::byteswap(lb::Hash64(seed));
  value = HexEncode({reinterpret_cast<const std::uint8_t*>(&hash), sizeof hash});
  std::string cookie = policy.name + "=\"" + value + "\"";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*policy.cookie_ttl).count();
  if (seconds > 0) cookie += "; Max-Age=" + std::to_string(seconds);
  if (!policy.cookie_path.empty()) cookie += "; Path=" + policy.cookie_path;
  for (const auto& [key, text] : policy.cookie_attributes)
    cookie += text.empty() ? "; " + key : "; " + key + "=" + text;
  return cookie + "; HttpOnly";
}

std::optional<std::uint64_t> HashOf(const xds::HashPolicy& policy, const re2::RE2* rewrite,
                                    const http::RequestHead& head, const record::StreamRecord& record,
                                    std::string* set_cookie) {
  using Kind = xds::HashPolicy::Kind;
  switch (policy.kind) {
    case Kind::kHeader: {
      std::vector<std::string> values = ValuesOf(head, policy.name);
      if (values.empty()) return std::nullopt;
      std::sort(values.begin(), values.end());  // their order on the wire means nothing
      std::uint64_t hash = 0;
      for (std::string& text : values) {
        if (rewrite != nullptr) match::ReplaceAll(*rewrite, policy.rewrite->substitution, text);
        hash = lb::Hash64(text, hash);
      }
      return hash;
    }
    case Kind::kCookie: {
      std::optional<std::string> value = CookieOf(head.headers, policy.name);
      if (value && value->empty()) value.reset();
      if (!value && policy.cookie_ttl) {
        std::string made;
        std::string cookie = MakeCookie(policy, record, made);
        if (set_cookie != nullptr) *set_cookie = std::move(cookie);
        value = std::move(made);
      }
      return value ? std::optional(lb::Hash64(*value)) : std::nullopt;
    }
    case Kind::kSourceIp: return lb::Hash64(record.remote.ip.ToString());
    case Kind::kQueryParameter: {
      const auto value = match::QueryParameter(http::QueryOf(head.path), policy.name);
      return value ? std::optional(lb::Hash64(*value)) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> RequestHash(const RouteMatch& match, const http::RequestHead& head,
                                         const record::StreamRecord& record, std::string* set_cookie) {
  if (match.route == nullptr || match.route->action == nullptr) return std::nullopt;
  const CompiledRoute& route = Full(*match.route);
  std::optional<std::uint64_t> hash;
  for (std::size_t i = 0; i < route.action->hash.size(); ++i) {
    const xds::HashPolicy& policy = route.action->hash[i];
    if (const auto next = HashOf(policy, route.hash_regexes[i].get(), head, record, set_cookie)) {
      hash = (hash ? std::rotl(*hash, 1) : 0) ^ *next;  // as Envoy combines several policies
    }
    if (policy.terminal && hash) break;
  }
  return hash;
}

}  // namespace plait::proxy::route
