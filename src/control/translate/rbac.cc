#include "control/translate/rbac.h"

#include <re2/re2.h>

#include <algorithm>

#include "control/model/path_template.h"
#include "control/translate/names.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
using model::PolicyRule;
using model::ValueMatch;
using xds::Permission;
using xds::Principal;
using xds::StringMatcher;

std::string Quoted(std::string_view text) { return RE2::QuoteMeta(re2::StringPiece(text.data(), text.size())); }

template <class Node>
Node Any() {
  return {.kind = Node::Kind::kAny};
}
template <class Node>
Node Not(Node inner) {
  Node out{.kind = Node::Kind::kNot};
  out.children.push_back(std::move(inner));
  return out;
}
// One child stands for itself.
template <class Node>
Node Combine(typename Node::Kind kind, std::vector<Node> children) {
  if (children.size() == 1) return std::move(children.front());
  Node out{.kind = kind};
  out.children = std::move(children);
  return out;
}

// "*" is present, "a*" a prefix, "*a" a suffix, else the text itself.
struct Pattern {
  bool present = false;
  StringMatcher matcher;
};
Pattern ToPattern(std::string_view value, std::string_view before = {}) {
  if (value == "*") return {.present = true, .matcher = {}};
  if (value.starts_with('*'))
    return {.present = false, .matcher = {.kind = StringMatcher::Kind::kSuffix, .value = std::string(value.substr(1))}};
  const bool prefix = value.ends_with('*');
  if (prefix) value.remove_suffix(1);
  return {.present = false,
          .matcher = {.kind = prefix ? StringMatcher::Kind::kPrefix : StringMatcher::Kind::kExact,
                      .value = std::string(before) + std::string(value)}};
}

// The regular expression of a value with "*" at its ends.
std::string PatternRegex(std::string_view value) {
  std::string out;
  if (value.starts_with('*')) out = "[^/]*";
  std::string_view middle = value;
  if (middle.starts_with('*')) middle.remove_prefix(1);
  const bool open = middle.ends_with('*');
  if (open) middle.remove_suffix(1);
  out += Quoted(middle);
  return open ? out + "[^/]*" : out;
}

Principal Authenticated(StringMatcher matcher) {
  Principal out{.kind = Principal::Kind::kAuthenticated, .has_text = true};
  out.text = std::move(matcher);
  return out;
}
Principal AuthenticatedRegex(std::string regex) {
  return Authenticated({.kind = StringMatcher::Kind::kRegex, .value = std::move(regex)});
}

template <class Node>
Node HeaderNode(std::string name, const Pattern& pattern, bool ignore_case) {
  Node out{.kind = Node::Kind::kHeader};
  out.header.name = std::move(name);
  if (!pattern.present) {
    StringMatcher matcher = pattern.matcher;
    matcher.ignore_case = ignore_case;
    out.header.value = std::move(matcher);
  }
  return out;
}

template <class Node>
Node Cidr(typename Node::Kind kind, const std::string& text) {
  Node out{.kind = kind};
  out.cidr = io::Cidr::Parse(text).value_or(io::Cidr{});  // checked when it was read
  return out;
}

// {*} is one segment, {**} what follows; a plain path otherwise.
Permission PathNode(const std::string& path) {
  Permission out{.kind = Permission::Kind::kUrlPath};
  if (!model::IsPathTemplate(path)) {
    const Pattern pattern = ToPattern(path);
    out.text = pattern.present ? StringMatcher{.kind = StringMatcher::Kind::kRegex, .value = ".*"} : pattern.matcher;
    return out;
  }
  out.text = {.kind = StringMatcher::Kind::kRegex, .value = model::PathTemplateRegex(path)};
  return out;
}

// Translates one rule; TCP leaves out what only HTTP has.
class RuleTranslator {
 public:
  RuleTranslator(const model::Snapshot& snapshot, const model::AuthorizationPolicy& policy, bool tcp)
      : snapshot_(snapshot), policy_(policy), tcp_(tcp) {}

  // False: the rule never matches (an ALLOW rule with HTTP fields, on TCP).
  bool Translate(const PolicyRule& rule, xds::RbacPolicy& out) {
    std::vector<Principal> who;
    std::vector<Permission> what;
    for (const model::PolicyCondition& condition : rule.when)
      if (!Condition(condition, who, what)) return false;
    for (const model::PolicySource& source : rule.from) {
      std::vector<Principal> all = who;
      Source(source, all);
      out.principals.push_back(all.empty() ? Any<Principal>() : Combine(Principal::Kind::kAnd, std::move(all)));
    }
    for (const model::PolicyOperation& operation : rule.to) {
      std::vector<Permission> all = what;
      if (!Operation(operation, all)) return false;
      out.permissions.push_back(all.empty() ? Any<Permission>() : Combine(Permission::Kind::kAnd, std::move(all)));
    }
    if (rule.from.empty())
      out.principals.push_back(who.empty() ? Any<Principal>() : Combine(Principal::Kind::kAnd, std::move(who)));
    if (rule.to.empty())
      out.permissions.push_back(what.empty() ? Any<Permission>() : Combine(Permission::Kind::kAnd, std::move(what)));
    return true;
  }

 private:
  bool Deny() const { return policy_.action == model::AuthorizationPolicy::Action::kDeny; }

  template <class Node, class Make>
  void Add(const ValueMatch& values, std::vector<Node>& all, Make make) const {
    const auto any_of = [&](const std::vector<std::string>& texts) {
      std::vector<Node> nodes;
      for (const std::string& text : texts) make(text, nodes);
      return Combine(Node::Kind::kOr, std::move(nodes));
    };
    if (!values.any.empty()) all.push_back(any_of(values.any));
    if (!values.none.empty()) all.push_back(Not(any_of(values.none)));
  }

  // On TCP: the field is dropped (DENY) or the rule never matches (ALLOW, false).
  template <class Node, class Make>
  bool AddHttp(const ValueMatch& values, std::vector<Node>& all, Make make) const {
    if (values.empty()) return true;
    if (tcp_) return Deny();
    Add(values, all, make);
    return true;
  }

  void Principals(const ValueMatch& values, std::vector<Principal>& all) const {
    Add(values, all, [&](const std::string& text, std::vector<Principal>& out) {
      // A name is asked for: for Envoy "authenticated" without one is whoever speaks TLS, with a certificate or not.
      if (text == "*") return out.push_back(AuthenticatedRegex(".+"));
      for (const std::string& principal : WithAliases(text))
        out.push_back(Authenticated(ToPattern(principal, "spiffe://").matcher));
    });
  }
  // The principal, and beside it that of the own trust domain and of each alias when it is of one of these (Istio's
  // ReplaceTrustDomainAliases). "cluster.local" stands for the own one.
  std::vector<std::string> WithAliases(const std::string& principal) const {
    std::vector<std::string> out = {principal};
    const auto slash = principal.find('/');
    if (slash == std::string::npos) return out;
    const std::string domain = principal.substr(0, slash);
    std::vector<std::string> known = snapshot_.mesh().trust_domain_aliases;
    known.insert(known.begin(), snapshot_.mesh().trust_domain);
    const auto is_meant = [&](const std::string& name) {  // "*-td" means each that ends so
      return domain.starts_with('*') ? name.ends_with(domain.substr(1)) : name == domain;
    };
    if (domain != "cluster.local" && std::none_of(known.begin(), known.end(), is_meant)) return out;
    for (const std::string& name : known) {
      if (is_meant(name)) continue;
      std::string other = name + principal.substr(slash);
      if (std::find(out.begin(), out.end(), other) == out.end()) out.push_back(std::move(other));
    }
    return out;
  }
  void Namespaces(const ValueMatch& values, std::vector<Principal>& all) const {
    Add(values, all, [](const std::string& text, std::vector<Principal>& out) {
      out.push_back(AuthenticatedRegex("spiffe://[^/]+/ns/" + PatternRegex(text) + "/.*"));
    });
  }
  void ServiceAccounts(const ValueMatch& values, std::vector<Principal>& all) const {
    Add(values, all, [this](const std::string& text, std::vector<Principal>& out) {
      const auto [first, second] = SplitOnce(text, '/');
      const std::string name_space = second ? std::string(first) : policy_.meta.name_space();
      out.push_back(AuthenticatedRegex("spiffe://[^/]+/ns/" + PatternRegex(name_space) + "/sa/" +
                                       PatternRegex(second ? *second : first)));
    });
  }
  void TrustDomains(const ValueMatch& values, std::vector<Principal>& all) const {
    Add(values, all, [](const std::string& text, std::vector<Principal>& out) {
      out.push_back(AuthenticatedRegex("spiffe://" + PatternRegex(text) + "/.*"));
    });
  }
  void Ips(const ValueMatch& values, Principal::Kind kind, std::vector<Principal>& all) const {
    Add(values, all,
        [kind](const std::string& text, std::vector<Principal>& out) { out.push_back(Cidr<Principal>(kind, text)); });
  }
  void Ports(const ValueMatch& values, std::vector<Permission>& all) const {
    Add(values, all, [](const std::string& text, std::vector<Permission>& out) {
      Permission port{.kind = Permission::Kind::kDestinationPort};
      port.port_start = static_cast<std::uint32_t>(ParseUint(text).value_or(0));
      out.push_back(std::move(port));
    });
  }

  void Source(const model::PolicySource& from, std::vector<Principal>& all) const {
    Principals(from.principals, all);
    Namespaces(from.namespaces, all);
    ServiceAccounts(from.service_accounts, all);
    TrustDomains(from.trust_domains, all);
    Ips(from.ip_blocks, Principal::Kind::kDirectRemoteIp, all);
    Ips(from.remote_ip_blocks, Principal::Kind::kRemoteIp, all);
  }

  bool Operation(const model::PolicyOperation& from, std::vector<Permission>& all) const {
    Ports(from.ports, all);
    const auto header = [](const char* name, bool ignore_case) {
      return [name, ignore_case](const std::string& text, std::vector<Permission>& out) {
        out.push_back(HeaderNode<Permission>(name, ToPattern(text), ignore_case));
      };
    };
    return AddHttp(from.hosts, all, header(":authority", true)) &&
           AddHttp(from.methods, all, header(":method", false)) &&
           AddHttp(from.paths, all,
                   [](const std::string& text, std::vector<Permission>& out) { out.push_back(PathNode(text)); });
  }

  bool Condition(const model::PolicyCondition& from, std::vector<Principal>& who, std::vector<Permission>& what) const {
    const std::string& key = from.key;
    if (key == "source.ip")
      Ips(from.values, Principal::Kind::kDirectRemoteIp, who);
    else if (key == "remote.ip")
      Ips(from.values, Principal::Kind::kRemoteIp, who);
    else if (key == "source.namespace")
      Namespaces(from.values, who);
    else if (key == "source.principal")
      Principals(from.values, who);
    else if (key == "source.serviceAccount")
      ServiceAccounts(from.values, who);
    else if (key == "source.trustDomain")
      TrustDomains(from.values, who);
    else if (key == "destination.port")
      Ports(from.values, what);
    else if (key == "destination.ip")
      Add(from.values, what, [](const std::string& text, std::vector<Permission>& out) {
        out.push_back(Cidr<Permission>(Permission::Kind::kDestinationIp, text));
      });
    else if (key == "connection.sni")
      Add(from.values, what, [](const std::string& text, std::vector<Permission>& out) {
        Permission sni{.kind = Permission::Kind::kRequestedServerName};
        const Pattern pattern = ToPattern(text);
        sni.text =
            pattern.present ? StringMatcher{.kind = StringMatcher::Kind::kRegex, .value = ".+"} : pattern.matcher;
        out.push_back(std::move(sni));
      });
    else {
      const std::string name = ToLower(std::string_view(key).substr(16, key.size() - 17));  // request.headers[name]
      return AddHttp(from.values, who, [&](const std::string& text, std::vector<Principal>& out) {
        out.push_back(HeaderNode<Principal>(name, ToPattern(text), false));
      });
    }
    return true;
  }

  const model::Snapshot& snapshot_;
  const model::AuthorizationPolicy& policy_;
  const bool tcp_;
};

// What one RBAC filter of an action holds.
struct Stage {
  std::optional<xds::RbacRules> rules;
  std::optional<xds::RbacRules> dry_run;
};

xds::Permission NoPermission() { return Not(Any<Permission>()); }

// As Istio writes a policy without rules: it matches nothing, and yet stands there to be named.
xds::RbacPolicy MatchNever(std::string name) {
  return {.name = std::move(name), .permissions = {NoPermission()}, .principals = {Not(Any<Principal>())}};
}
// A rule about requests, for TCP connections.
xds::RbacPolicy MatchNoConnection(std::string name) {
  return {.name = std::move(name), .permissions = {NoPermission()}, .principals = {Any<Principal>()}};
}

xds::RbacPolicy Invalid(const model::AuthorizationPolicy& policy) {
  return {.name = InvalidPolicyName(policy.meta), .permissions = {Any<Permission>()}, .principals = {Any<Principal>()}};
}

Stage Build(const model::Snapshot& snapshot, const std::vector<const model::AuthorizationPolicy*>& policies, bool deny,
            bool tcp) {
  Stage stage;
  const auto action = deny ? xds::RbacRules::Action::kDeny : xds::RbacRules::Action::kAllow;
  for (const model::AuthorizationPolicy* policy : policies) {
    if ((policy->invalid || policy->action == model::AuthorizationPolicy::Action::kDeny) != deny) continue;
    auto& rules = policy->dry_run && !policy->invalid ? stage.dry_run : stage.rules;
    if (!rules) rules = xds::RbacRules{.action = action};
    if (policy->invalid) rules->policies.push_back(Invalid(*policy));
    const std::string name = "ns[" + policy->meta.name_space() + "]-policy[" + policy->meta.name() + "]-rule[";
    if (policy->rules.empty() && !policy->invalid) rules->policies.push_back(MatchNever(name + "0]"));
    for (std::size_t i = 0; i < policy->rules.size(); ++i) {
      xds::RbacPolicy out{.name = name + std::to_string(i) + "]"};
      const bool may_match = RuleTranslator(snapshot, *policy, tcp).Translate(policy->rules[i], out);
      rules->policies.push_back(may_match ? std::move(out) : MatchNoConnection(std::move(out.name)));
    }
  }
  for (auto* rules : {&stage.rules, &stage.dry_run})
    if (*rules)
      std::sort((*rules)->policies.begin(), (*rules)->policies.end(),
                [](const auto& a, const auto& b) { return a.name < b.name; });
  return stage;
}
}  // namespace

std::vector<xds::HttpFilter> HttpRbac(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<xds::HttpFilter> out;
  const auto policies = snapshot.PoliciesOf(proxy.name_space, proxy.labels);
  for (const bool deny : {true, false}) {
    Stage stage = Build(snapshot, policies, deny, false);
    if (!stage.rules && !stage.dry_run) continue;
    xds::RbacFilter filter{.rules = std::move(stage.rules), .shadow_rules = std::move(stage.dry_run)};
    if (filter.shadow_rules) filter.shadow_rules_stat_prefix = deny ? "istio_dry_run_deny_" : "istio_dry_run_allow_";
    out.push_back({.name = "envoy.filters.http.rbac", .config = std::move(filter)});
  }
  return out;
}

std::vector<xds::NetworkRbac> TcpRbac(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<xds::NetworkRbac> out;
  const auto policies = snapshot.PoliciesOf(proxy.name_space, proxy.labels);
  for (const bool deny : {true, false}) {
    Stage stage = Build(snapshot, policies, deny, true);
    if (!stage.rules && !stage.dry_run) continue;
    xds::NetworkRbac filter{
        .rules = std::move(stage.rules), .shadow_rules = std::move(stage.dry_run), .stat_prefix = "tcp."};
    if (filter.shadow_rules) filter.shadow_rules_stat_prefix = deny ? "istio_dry_run_deny_" : "istio_dry_run_allow_";
    out.push_back(std::move(filter));
  }
  return out;
}

}  // namespace plait::control::translate
