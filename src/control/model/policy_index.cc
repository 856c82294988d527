// Security policies by workload.
#include <algorithm>

#include "control/model/snapshot.h"

namespace plait::control::model {
namespace {
using Mode = PeerAuthentication::Mode;

// Istio gives the pods that it makes for a Gateway of the Gateway API this label.
bool PlaysOneOf(const std::vector<std::string>& gateways, const Labels& labels) {
  const auto played = labels.find("gateway.networking.k8s.io/gateway-name");
  return played != labels.end() && std::any_of(gateways.begin(), gateways.end(), [&](const std::string& name) {
           return name == kAnyGateway || name == played->second;
         });
}

bool InScope(const Meta& meta, const PolicyScope& scope, const std::string& root, std::string_view name_space,
             const Labels& labels) {
  const bool own = meta.name_space() == name_space;
  if (own && PlaysOneOf(scope.gateways, labels)) return true;
  return !scope.nothing && (own || meta.name_space() == root) && Selects(scope.selector, labels);
}
}  // namespace

Mode ServerMtls::ModeOf(std::uint16_t port) const noexcept {
  const auto own = ports.find(port);
  return own == ports.end() ? mode : own->second;
}

void Snapshot::IndexPolicies() {
  peer_authentications_ = OldestFirst<PeerAuthentication>(objects_);
  strict_by_default_ =
      options_.strict_by_default &&
      std::none_of(peer_authentications_.begin(), peer_authentications_.end(), [this](const auto* policy) {
        return policy->meta.name_space() == mesh_.root_namespace && policy->scope.selector.empty();
      });
  policies_ = ObjectsOf<AuthorizationPolicy>(objects_);
  for (const RequestAuthentication* tokens : ObjectsOf<RequestAuthentication>(objects_)) {
    denials_.push_back(std::make_unique<AuthorizationPolicy>(
        AuthorizationPolicy{.meta = tokens->meta, .scope = tokens->scope, .invalid = true}));
    policies_.push_back(denials_.back().get());
  }
  const auto rank = [this](const AuthorizationPolicy* policy) {
    return std::tuple(policy->meta.name_space() != mesh_.root_namespace, std::cref(policy->meta.name_space()),
                      std::cref(policy->meta.name()), policy->meta.key.kind);
  };
  std::sort(policies_.begin(), policies_.end(), [&](const auto* a, const auto* b) {
    const auto x = rank(a);
    const auto y = rank(b);
    return std::tie(std::get<0>(x), std::get<1>(x).get(), std::get<2>(x).get(), std::get<3>(x)) <
           std::tie(std::get<0>(y), std::get<1>(y).get(), std::get<2>(y).get(), std::get<3>(y));
  });
}

// Workload before namespace before mesh; within a scope the oldest object counts, and UNSET leaves it to the wider
// scope. An invalid object is STRICT for its scope whatever else is there.
ServerMtls Snapshot::MtlsOf(std::string_view name_space, const Labels& labels) const {
  const PeerAuthentication* mesh = nullptr;
  const PeerAuthentication* space = nullptr;
  const PeerAuthentication* workload = nullptr;
  const PeerAuthentication* invalid = nullptr;
  for (const PeerAuthentication* policy : peer_authentications_) {
    const bool root = policy->meta.name_space() == mesh_.root_namespace;
    const bool selects = !policy->scope.selector.empty();
    // With a selector, a policy of the root namespace is for the root namespace's workloads, as Istio has it.
    if (selects ? policy->meta.name_space() != name_space || !Selects(policy->scope.selector, labels)
                : !root && policy->meta.name_space() != name_space)
      continue;
    if (policy->invalid && !invalid) invalid = policy;
    const PeerAuthentication*& slot = selects ? workload : root ? mesh : space;
    if (!slot) slot = policy;
  }
  ServerMtls out{.mode = strict_by_default_ ? Mode::kStrict : Mode::kPermissive};
  if (invalid) return {.mode = Mode::kStrict, .invalid = invalid};
  for (const PeerAuthentication* policy : {mesh, space, workload})
    if (policy && policy->mode != Mode::kUnset) out.mode = policy->mode;
  if (workload)
    for (const auto& [port, mode] : workload->ports)
      if (mode != Mode::kUnset) out.ports[port] = mode;
  return out;
}

std::vector<const AuthorizationPolicy*> Snapshot::PoliciesOf(std::string_view name_space, const Labels& labels) const {
  std::vector<const AuthorizationPolicy*> out;
  for (const AuthorizationPolicy* policy : policies_)
    if (InScope(policy->meta, policy->scope, mesh_.root_namespace, name_space, labels)) out.push_back(policy);
  return out;
}

const Secret* Snapshot::FindSecret(std::string_view name_space, std::string_view name) const noexcept {
  for (const ObjectRef& object : objects_)
    if (const Secret* secret = std::get_if<Secret>(object.get());
        secret && secret->meta.name() == name && secret->meta.name_space() == name_space)
      return secret;
  return nullptr;
}

}  // namespace plait::control::model
