#include "control/source/closed_policies.h"

#include <variant>

#include "core/base/strings.h"

namespace plait::control::source {
namespace {
using model::AuthorizationPolicy;
using model::PeerAuthentication;
using model::RequestAuthentication;

const model::PolicyScope* ScopeOf(const model::AnyObject& object) noexcept {
  if (const auto* rules = std::get_if<AuthorizationPolicy>(&object)) return &rules->scope;
  if (const auto* peers = std::get_if<PeerAuthentication>(&object)) return &peers->scope;
  if (const auto* tokens = std::get_if<RequestAuthentication>(&object)) return &tokens->scope;
  return nullptr;
}

bool IsInvalid(const model::AnyObject& object) noexcept {
  if (const auto* rules = std::get_if<AuthorizationPolicy>(&object)) return rules->invalid;
  if (const auto* peers = std::get_if<PeerAuthentication>(&object)) return peers->invalid;
  return std::holds_alternative<RequestAuthentication>(object);
}

// "the workloads with the labels app=a in namespace shop". A selector of the root namespace is for the whole mesh, but
// that of a PeerAuthentication for the namespace itself.
std::string Workloads(const model::AnyObject& policy, const std::string& root_namespace) {
  const model::PolicyScope& scope = *ScopeOf(policy);
  const std::string& name_space = model::MetaOf(policy).name_space();
  if (scope.nothing) return "the gateways in namespace " + name_space + " that it names";
  const bool wide = scope.selector.empty() || !std::holds_alternative<PeerAuthentication>(policy);
  const std::string where = wide && name_space == root_namespace ? " of the mesh" : " in namespace " + name_space;
  if (scope.selector.empty()) return "all workloads" + where;
  std::vector<std::string> labels;
  for (const auto& [label, value] : scope.selector) labels.push_back(label + "=" + value);
  return "the workloads with the labels " + Join(labels, ",") + where;
}
}  // namespace

bool IsPolicy(const model::AnyObject& object) noexcept { return ScopeOf(object) != nullptr; }

bool MeanTheSame(const model::AnyObject& a, const model::AnyObject& b) {
  model::AnyObject other = b;
  const model::Meta& meta = model::MetaOf(a);
  std::visit(
      [&](auto& one) {
        one.meta.at = meta.at;
        one.meta.labels = meta.labels;
        one.meta.annotations = meta.annotations;
        one.meta.created = meta.created;
      },
      other);
  return a == other;
}

model::ObjectRef AsInvalid(const model::AnyObject& policy) {
  model::AnyObject out = policy;
  if (auto* rules = std::get_if<AuthorizationPolicy>(&out)) {
    rules->invalid = true;
    rules->rules.clear();
  }
  if (auto* peers = std::get_if<PeerAuthentication>(&out)) peers->invalid = true;
  return std::make_shared<const model::AnyObject>(std::move(out));
}

std::string Closes(const model::AnyObject& policy, const std::string& root_namespace) {
  const std::string workloads = Workloads(policy, root_namespace);
  if (std::holds_alternative<PeerAuthentication>(policy)) return "lets nothing but mutual TLS through to " + workloads;
  return "denies all requests to " + workloads;
}

model::Findings ClosedPolicies(const std::vector<model::ObjectRef>& objects, const std::string& root_namespace) {
  model::Findings out;
  for (const model::ObjectRef& object : objects) {
    if (!IsInvalid(*object)) continue;
    const model::Meta& meta = model::MetaOf(*object);
    const bool named = meta.name().find(':') == std::string::npos;  // else it is called by its place
    out.push_back(
        {model::Severity::kWarning,
         {.message = (named ? "it is invalid, so it " : "what may be a security policy cannot be read, so it ") +
                     Closes(*object, root_namespace),
          .object = named ? meta.key.ToString() : "",
          .at = meta.at,
          .hint = "correct the errors of this file, or remove the policy from it"}});
  }
  return out;
}

}  // namespace plait::control::source
