#include "proxy/filters/rbac/engine.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/tls/facts.h"

namespace plait::proxy::filters {
namespace {

static log::Component kLog("rbac");
constexpr int kMostDepth = 32;  // of nested and, or, not: the walk is recursive

Diagnostic NeedsRequest(std::string_view what) {
  return {
      .code = Errc::kInvalidInput,
      .message = "a rule of the network RBAC filter looks at " + std::string(what) + ", but a TCP connection has none",
      .hint = "use it in the HTTP filter, or leave the field out"};
}

}  // namespace

void LogDryRun(const RbacResult& result, const RbacSubject& subject) {
  if (result.allowed || !kLog.Enabled(log::Level::kDebug)) return;
  kLog.Debug("shadow denied, matched policy " + (result.policy != nullptr ? *result.policy : "none") + ", from " +
             subject.remote.ToString());
}

std::string DeniedDetails(const std::string* policy) {
  std::string details = "rbac_access_denied_matched_policy[";
  details += policy == nullptr ? "none" : *policy;
  std::replace(details.begin(), details.end(), ' ', '_');  // one word in the access log, as Envoy's
  return details + ']';
}

std::uint32_t RbacEngine::Push(Node node) {
  nodes_.push_back(node);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

template <class Rule>
Outcome<std::uint32_t> RbacEngine::AddBranch(Ask ask, const std::vector<Rule>& children, bool with_requests,
                                             int depth) {
  if (children.empty()) return Explain(Errc::kInvalidInput, "an empty list of rules");
  if (ask == Ask::kNot && children.size() != 1) return Explain(Errc::kInvalidInput, "'not' takes exactly one rule");
  std::vector<std::uint32_t> links;
  for (const Rule& child : children) {
    Outcome<std::uint32_t> node = Add(child, with_requests, depth + 1);
    if (!node) return node;
    links.push_back(*node);
  }
  const Node branch{.ask = ask,
                    .first = static_cast<std::uint32_t>(links_.size()),
                    .count = static_cast<std::uint32_t>(links.size())};
  links_.insert(links_.end(), links.begin(), links.end());
  return Push(branch);
}

Outcome<std::uint32_t> RbacEngine::AddText(Ask ask, const xds::StringMatcher& text) {
  Outcome<match::StringMatch> compiled = match::StringMatch::Compile(text);
  if (!compiled) return std::unexpected(compiled.error());
  texts_.push_back(*std::move(compiled));
  return Push({.ask = ask, .at = static_cast<std::uint32_t>(texts_.size() - 1)});
}

Outcome<std::uint32_t> RbacEngine::AddHeader(const xds::HeaderMatcher& header) {
  Outcome<match::HeaderMatch> compiled = match::HeaderMatch::Compile(header);
  if (!compiled) return std::unexpected(compiled.error());
  headers_.push_back(*std::move(compiled));
  return Push({.ask = Ask::kHeader, .at = static_cast<std::uint32_t>(headers_.size() - 1)});
}

std::uint32_t RbacEngine::AddCidr(Ask ask, const io::Cidr& cidr) {
  cidrs_.push_back(cidr);
  return Push({.ask = ask, .at = static_cast<std::uint32_t>(cidrs_.size() - 1)});
}

Outcome<std::uint32_t> RbacEngine::Add(const xds::Principal& principal, bool with_requests, int depth) {
  using Kind = xds::Principal::Kind;
  if (depth > kMostDepth) return Explain(Errc::kLimit, "principals are nested deeper than 32");
  switch (principal.kind) {
    case Kind::kAny: return Push({.ask = Ask::kAny});
    case Kind::kAnd: return AddBranch(Ask::kAll, principal.children, with_requests, depth);
    case Kind::kOr: return AddBranch(Ask::kOneOf, principal.children, with_requests, depth);
    case Kind::kNot: return AddBranch(Ask::kNot, principal.children, with_requests, depth);
    case Kind::kAuthenticated:
      if (!principal.has_text) return Push({.ask = Ask::kAuthenticated});
      return AddText(Ask::kPeerName, principal.text);
    case Kind::kDirectRemoteIp:
    case Kind::kSourceIp: return AddCidr(Ask::kDirectIp, principal.cidr);
    case Kind::kRemoteIp: return AddCidr(Ask::kRemoteIp, principal.cidr);
    case Kind::kHeader:
      if (!with_requests) return std::unexpected(NeedsRequest("header '" + principal.header.name + "'"));
      return AddHeader(principal.header);
    case Kind::kUrlPath:
      if (!with_requests) return std::unexpected(NeedsRequest("the path"));
      return AddText(Ask::kPath, principal.text);
  }
  return Explain(Errc::kInvalidInput, "a principal of a kind that this version does not know");
}

Outcome<std::uint32_t> RbacEngine::Add(const xds::Permission& permission, bool with_requests, int depth) {
  using Kind = xds::Permission::Kind;
  if (depth > kMostDepth) return Explain(Errc::kLimit, "permissions are nested deeper than 32");
  switch (permission.kind) {
    case Kind::kAny: return Push({.ask = Ask::kAny});
    case Kind::kAnd: return AddBranch(Ask::kAll, permission.children, with_requests, depth);
    case Kind::kOr: return AddBranch(Ask::kOneOf, permission.children, with_requests, depth);
    case Kind::kNot: return AddBranch(Ask::kNot, permission.children, with_requests, depth);
    case Kind::kHeader:
      if (!with_requests) return std::unexpected(NeedsRequest("header '" + permission.header.name + "'"));
      return AddHeader(permission.header);
    case Kind::kUrlPath:
      if (!with_requests) return std::unexpected(NeedsRequest("the path"));
      return AddText(Ask::kPath, permission.text);
    case Kind::kDestinationIp: return AddCidr(Ask::kDestinationIp, permission.cidr);
    case Kind::kDestinationPort:
      return Push({.ask = Ask::kDestinationPort, .count = permission.port_start + 1, .at = permission.port_start});
    case Kind::kDestinationPortRange:
      return Push({.ask = Ask::kDestinationPort, .count = permission.port_end, .at = permission.port_start});
    case Kind::kRequestedServerName: return AddText(Ask::kServerName, permission.text);
  }
  return Explain(Errc::kInvalidInput, "a permission of a kind that this version does not know");
}

Outcome<std::shared_ptr<const RbacEngine>> RbacEngine::Compile(const xds::RbacRules& rules, bool with_requests) {
  auto engine = std::shared_ptr<RbacEngine>(new RbacEngine);
  engine->action_ = rules.action;
  for (const xds::RbacPolicy& policy : rules.policies) {
    const auto permissions = engine->AddBranch(Ask::kOneOf, policy.permissions, with_requests, 0);
    const auto principals =
        permissions ? engine->AddBranch(Ask::kOneOf, policy.principals, with_requests, 0) : permissions;
    if (!principals) {
      Diagnostic why = principals.error();
      why.message = "RBAC policy '" + policy.name + "': " + why.message;
      return std::unexpected(std::move(why));
    }
    engine->policies_.push_back({.name = policy.name, .permissions = *permissions, .principals = *principals});
  }
  std::stable_sort(engine->policies_.begin(), engine->policies_.end(),
                   [](const Policy& a, const Policy& b) { return a.name < b.name; });
  return engine;
}

bool RbacEngine::PeerNameMatches(const match::StringMatch& text, const record::ConnectionInfo& connection) const {
  const io::TlsFacts* tls = connection.tls;
  if (tls == nullptr || !tls->peer_certificate) return false;
  const auto matches = [&](const std::string& name) { return text.Matches(name); };
  return std::any_of(tls->peer_uri_sans.begin(), tls->peer_uri_sans.end(), matches) ||
         std::any_of(tls->peer_dns_sans.begin(), tls->peer_dns_sans.end(), matches) || matches(tls->peer_subject);
}

bool RbacEngine::Holds(const Node& node, const RbacSubject& subject) const {
  const record::ConnectionInfo& connection = subject.connection;
  const auto child = [&](std::uint32_t i) { return Holds(nodes_[links_[node.first + i]], subject); };
  switch (node.ask) {
    case Ask::kAny: return true;
    case Ask::kAll:
      for (std::uint32_t i = 0; i < node.count; ++i) {
        if (!child(i)) return false;
      }
      return true;
    case Ask::kOneOf:
      for (std::uint32_t i = 0; i < node.count; ++i) {
        if (child(i)) return true;
      }
      return false;
    case Ask::kNot: return !child(0);
    case Ask::kAuthenticated: return connection.tls != nullptr && connection.tls->peer_certificate;
    case Ask::kPeerName: return PeerNameMatches(texts_[node.at], connection);
    case Ask::kDirectIp: return cidrs_[node.at].Contains(connection.remote.ip);
    case Ask::kRemoteIp: return cidrs_[node.at].Contains(subject.remote);
    case Ask::kHeader: return headers_[node.at].Matches(*subject.head);
    case Ask::kPath: return texts_[node.at].Matches(http::PathOnly(subject.head->path));
    case Ask::kDestinationIp: return cidrs_[node.at].Contains(connection.local.ip);
    case Ask::kDestinationPort:
      return connection.local.port.value >= node.at && connection.local.port.value < node.count;
    case Ask::kServerName: return texts_[node.at].Matches(connection.server_name);
  }
  return false;
}

RbacResult RbacEngine::Check(const RbacSubject& subject) const {
  for (const Policy& policy : policies_) {
    if (Holds(nodes_[policy.permissions], subject) && Holds(nodes_[policy.principals], subject)) {
      return {.allowed = action_ != xds::RbacRules::Action::kDeny, .policy = &policy.name};
    }
  }
  return {.allowed = action_ != xds::RbacRules::Action::kAllow};
}

}  // namespace plait::proxy::filters
