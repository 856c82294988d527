// PeerAuthentication, AuthorizationPolicy, RequestAuthentication. What is not understood makes the object invalid,
// never weaker: its scope is read on its own, so that it fails closed exactly there.
#include <security/v1beta1/authorization_policy.pb.h>
#include <security/v1beta1/peer_authentication.pb.h>

#include <optional>

#include "control/model/checks.h"
#include "control/model/path_template.h"
#include "control/model/protobuf_reading.h"
#include "core/base/strings.h"

namespace plait::control::model {
namespace {
namespace sec = istio::security::v1beta1;

// From the tree itself. A selector that cannot be read selects the whole namespace: closed rather than open.
PolicyScope ReadSelector(const ObjectReader& reader) {
  PolicyScope scope;
  scope.selector_at = {reader.At("spec.selector")};
  const yaml::Node* selector = reader.Spec().Find("selector");
  const yaml::Node* labels = selector ? selector->Find("matchLabels") : nullptr;
  if (!labels && selector) labels = selector->Find("match_labels");
  if (!labels) return scope;
  for (const yaml::Entry& entry : labels->entries) {
    if (!entry.value.is_string()) return {};
    scope.selector[entry.key] = entry.value.text;
  }
  return scope;
}

// The Gateway that a reference names; what it does not say, or not legibly, is taken for a Gateway's: closed rather
// than open. nullopt: it is to something else (a Service, a ServiceEntry, a class), which only a waypoint stands for,
// and there is none; or to something of another namespace, which Istio does not allow.
std::optional<std::string> GatewayOf(const yaml::Node& reference, std::string_view name_space) {
  const auto contradicts = [&](const char* field, std::string_view wanted) {
    const yaml::Node* written = reference.Find(field);
    return written && written->is_string() && written->text != wanted;
  };
  if (contradicts("kind", "Gateway") || contradicts("group", "gateway.networking.k8s.io") ||
      contradicts("namespace", name_space))
    return std::nullopt;
  const yaml::Node* name = reference.Find("name");
  return name && name->is_string() ? name->text : std::string(kAnyGateway);
}

// Policies with targetRefs are for what these name alone, never for the namespace.
PolicyScope ReadTargets(const ObjectReader& reader) {
  PolicyScope scope = ReadSelector(reader);
  for (const yaml::Entry& entry : reader.Spec().entries) {
    const bool several = yaml::SameFieldName(entry.key, "targetRefs");
    if ((!several && !yaml::SameFieldName(entry.key, "targetRef")) || entry.value.is_null()) continue;
    const std::vector<yaml::Node> one = {entry.value};
    const bool list = several && entry.value.is_sequence();
    for (const yaml::Node& reference : list ? entry.value.items : one) {
      if (const auto gateway = GatewayOf(reference, reader.meta().name_space())) scope.gateways.push_back(*gateway);
      scope.nothing = scope.selector.empty();
    }
  }
  return scope;
}

PeerAuthentication::Mode ToMode(sec::PeerAuthentication::MutualTLS::Mode mode) {
  switch (mode) {
    case sec::PeerAuthentication::MutualTLS::DISABLE: return PeerAuthentication::Mode::kDisable;
    case sec::PeerAuthentication::MutualTLS::PERMISSIVE: return PeerAuthentication::Mode::kPermissive;
    case sec::PeerAuthentication::MutualTLS::STRICT: return PeerAuthentication::Mode::kStrict;
    default: return PeerAuthentication::Mode::kUnset;
  }
}

template <class Any, class None>
ValueMatch ToValues(const Any& any, const None& none) {
  return {{any.begin(), any.end()}, {none.begin(), none.end()}};
}

class RuleReader {
 public:
  RuleReader(ObjectReader& reader, const sec::AuthorizationPolicy& policy) : reader_(reader), policy_(policy) {}

  std::vector<PolicyRule> Read() {
    std::vector<PolicyRule> rules;
    for (int i = 0; i < policy_.rules_size(); ++i)
      rules.push_back(Rule(policy_.rules(i), Indexed("spec.rules", static_cast<std::size_t>(i))));
    return rules;
  }

 private:
  PolicyRule Rule(const sec::Rule& from, const std::string& path) {
    PolicyRule rule;
    for (int i = 0; i < from.from_size(); ++i)
      rule.from.push_back(Source(from.from(i), Indexed(path + ".from", static_cast<std::size_t>(i)) + ".source"));
    for (int i = 0; i < from.to_size(); ++i)
      rule.to.push_back(Operation(from.to(i), Indexed(path + ".to", static_cast<std::size_t>(i)) + ".operation"));
    for (int i = 0; i < from.when_size(); ++i)
      rule.when.push_back(Condition(from.when(i), Indexed(path + ".when", static_cast<std::size_t>(i))));
    return rule;
  }

  PolicySource Source(const sec::Rule::From& wrapper, const std::string& path) {
    const sec::Source& from = wrapper.source();
    PolicySource source{.principals = ToValues(from.principals(), from.not_principals()),
                        .namespaces = ToValues(from.namespaces(), from.not_namespaces()),
                        .service_accounts = ToValues(from.service_accounts(), from.not_service_accounts()),
                        .ip_blocks = ToValues(from.ip_blocks(), from.not_ip_blocks()),
                        .remote_ip_blocks = ToValues(from.remote_ip_blocks(), from.not_remote_ip_blocks()),
                        .trust_domains = ToValues(from.trust_domains(), from.not_trust_domains())};
    const bool tokens = from.request_principals_size() + from.not_request_principals_size() > 0;
    if (source == PolicySource{} && !tokens)
      reader_.Error(path, "the source is empty: nothing would match",
                    "name principals, namespaces or ipBlocks, or leave `from` out");
    for (std::size_t i = 0; i < source.principals.any.size(); ++i)
      source.callers_at.push_back({reader_.At(Indexed(path + ".principals", i))});
    for (std::size_t i = 0; i < source.namespaces.any.size(); ++i)
      source.callers_at.push_back({reader_.At(Indexed(path + ".namespaces", i))});
    Texts(path + ".principals", source.principals);
    Texts(path + ".namespaces", source.namespaces);
    Texts(path + ".serviceAccounts", source.service_accounts);
    Lengths(path + ".namespaces", source.namespaces);
    Lengths(path + ".serviceAccounts", source.service_accounts);
    Lengths(path + ".trustDomains", source.trust_domains);
    Cidrs(path + ".ipBlocks", source.ip_blocks);
    Cidrs(path + ".remoteIpBlocks", source.remote_ip_blocks);
    if (!source.service_accounts.empty() && (!source.principals.empty() || !source.namespaces.empty()))
      reader_.Error(path + ".serviceAccounts", "serviceAccounts excludes principals and namespaces",
                    "keep one way to name the caller");
    return source;
  }

  PolicyOperation Operation(const sec::Rule::To& wrapper, const std::string& path) {
    const sec::Operation& from = wrapper.operation();
    PolicyOperation operation{.hosts = ToValues(from.hosts(), from.not_hosts()),
                              .ports = ToValues(from.ports(), from.not_ports()),
                              .methods = ToValues(from.methods(), from.not_methods()),
                              .paths = ToValues(from.paths(), from.not_paths())};
    if (operation == PolicyOperation{})
      reader_.Error(path, "the operation is empty: nothing would match",
                    "name methods, paths, hosts or ports, or leave `to` out");
    Texts(path + ".hosts", operation.hosts);
    Texts(path + ".methods", operation.methods);
    Texts(path + ".paths", operation.paths);
    Ports(path + ".ports", operation.ports);
    Paths(path + ".paths", operation.paths);
    return operation;
  }

  PolicyCondition Condition(const sec::Condition& from, const std::string& path) {
    PolicyCondition condition{.key = from.key(), .values = ToValues(from.values(), from.not_values())};
    if (condition.values.empty()) reader_.Error(path, "a condition needs values or notValues");
    constexpr std::string_view kKnown[] = {
        "source.ip",          "remote.ip",      "source.namespace", "source.principal", "source.serviceAccount",
        "source.trustDomain", "destination.ip", "destination.port", "connection.sni"};
    bool known = from.key().starts_with("request.headers[") && from.key().ends_with("]") && from.key().size() > 17;
    for (std::string_view key : kKnown) known |= key == from.key();
    if (!known)
      reader_.Error(
          path + ".key",
          "the condition \"" + from.key() + "\" is " +
              (from.key().starts_with("request.auth") || from.key().starts_with("experimental.") ? "not honoured yet"
                                                                                                 : "unknown"),
          "e.g. source.namespace, destination.port, request.headers[x-name]");
    if (from.key() == "source.ip" || from.key() == "remote.ip" || from.key() == "destination.ip")
      Cidrs(path + ".values", condition.values);
    if (from.key() == "destination.port") Ports(path + ".values", condition.values);
    if (from.key() == "source.namespace" || from.key() == "source.serviceAccount" || from.key() == "source.trustDomain")
      Lengths(path + ".values", condition.values);
    return condition;
  }

  template <class Check>
  void Each(const std::string& path, const ValueMatch& values, Check check) {
    for (std::size_t i = 0; i < values.any.size(); ++i) check(Indexed(path, i), values.any[i]);
    for (const std::string& value : values.none) check(path, value);
  }
  void Texts(const std::string& path, const ValueMatch& values) {
    Each(path, values, [&](const std::string& at, const std::string& value) {
      if (value.empty())
        reader_.Error(at, "an empty value matches nothing", "\"*\" matches everything that is present");
    });
  }
  // Of what becomes a regular expression of the proxy, which has a limit.
  void Lengths(const std::string& path, const ValueMatch& values) {
    constexpr std::size_t kLongest = 1024;
    Each(path, values, [&](const std::string& at, const std::string& value) {
      if (value.size() > kLongest)
        reader_.Error(at, "the name \"" + value.substr(0, 60) + "...\" has " + std::to_string(value.size()) + " bytes",
                      "a name has at most " + std::to_string(kLongest));
    });
  }
  void Cidrs(const std::string& path, const ValueMatch& values) {
    Each(path, values, [&](const std::string& at, const std::string& value) { CheckCidr(reader_, at, value); });
  }
  void Ports(const std::string& path, const ValueMatch& values) {
    Each(path, values, [&](const std::string& at, const std::string& value) {
      const auto port = ParseUint(value);
      if (!port)
        reader_.Error(at, "\"" + value + "\" is not a port number");
      else
        CheckPort(reader_, at, *port);
    });
  }
  // "{*}" is one segment, "{**}" any number of them and the last operator; other braces are typing errors.
  void Paths(const std::string& path, const ValueMatch& values) {
    Each(path, values, [&](const std::string& at, const std::string& value) {
      if (!IsPathTemplate(value)) return;
      const auto segments = Split(value, '/');
      bool all = false;  // {**} stands before
      for (const std::string_view segment : segments) {
        if (segment.find_first_of("{}*") == std::string_view::npos) continue;
        if (all || (segment != "{*}" && segment != "{**}"))
          return reader_.Error(at, "the path template \"" + value + "\" is wrong",
                               "{*} stands for one whole segment, {**} for any number of them, as the last operator; "
                               "other segments have no braces and no *");
        all = segment == "{**}";
      }
      if (IsTooLarge(value))
        reader_.Error(at,
                      "the path template \"" + value.substr(0, 60) + "...\" with its " +
                          std::to_string(segments.size()) + " segments is too large for a proxy",
                      "end it earlier, with {**} for the rest");
    });
  }

  ObjectReader& reader_;
  const sec::AuthorizationPolicy& policy_;
};
}  // namespace

PolicyScope ReadPolicyScope(const ObjectReader& reader) {
  return reader.meta().key.kind == Kind::kPeerAuthentication ? ReadSelector(reader) : ReadTargets(reader);
}

void DecodePeerAuthentication(ObjectReader& reader, Decoded& out) {
  PeerAuthentication policy{.meta = reader.meta(), .scope = ReadPolicyScope(reader)};
  sec::PeerAuthentication message;
  if (ReadMessage(reader, reader.Spec(), message)) {
    policy.mode = ToMode(message.mtls().mode());
    for (const auto& [port, mtls] : message.port_level_mtls()) {
      if (CheckPort(reader, "spec.portLevelMtls", port))
        policy.ports[static_cast<std::uint16_t>(port)] = ToMode(mtls.mode());
    }
    if (!policy.ports.empty() && policy.scope.selector.empty())
      reader.Error("spec.portLevelMtls", "portLevelMtls needs a selector",
                   "ports are a workload's: add selector.matchLabels");
  }
  policy.invalid = reader.errors() > 0;
  Keep(out, std::move(policy));
}

void DecodeAuthorizationPolicy(ObjectReader& reader, Decoded& out) {
  AuthorizationPolicy policy{.meta = reader.meta(), .scope = ReadPolicyScope(reader)};
  const auto dry_run = reader.meta().annotations.find("istio.io/dry-run");
  policy.dry_run = dry_run != reader.meta().annotations.end() && dry_run->second == "true";
  sec::AuthorizationPolicy message;
  if (ReadMessage(reader, reader.Spec(), message)) {
    ReportUnhonoured(reader, message, "spec", Severity::kError);
    if (message.action() == sec::AuthorizationPolicy::AUDIT || message.action() == sec::AuthorizationPolicy::CUSTOM)
      reader.Error("spec.action",
                   "the action " + sec::AuthorizationPolicy::Action_Name(message.action()) + " is not honoured yet",
                   "ALLOW or DENY");
    policy.action = message.action() == sec::AuthorizationPolicy::DENY ? AuthorizationPolicy::Action::kDeny
                                                                       : AuthorizationPolicy::Action::kAllow;
    policy.rules = RuleReader(reader, message).Read();
    if (policy.action == AuthorizationPolicy::Action::kDeny && policy.rules.empty() && reader.errors() == 0)
      reader.Warning("spec", "a DENY policy without rules denies nothing",
                     "add a rule; `rules: [{}]` denies everything");
  }
  policy.invalid = reader.errors() > 0;
  if (policy.invalid) policy.rules.clear();
  Keep(out, std::move(policy));
}

void DecodeRequestAuthentication(ObjectReader& reader, Decoded& out) {
  reader.Error("kind", "RequestAuthentication is not honoured yet: the workloads in its scope accept no request",
               "remove it", "IST0106");
  Keep(out, RequestAuthentication{reader.meta(), ReadPolicyScope(reader)});
}

}  // namespace plait::control::model
