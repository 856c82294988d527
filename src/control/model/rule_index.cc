// VirtualServices, DestinationRules and Gateways by whom they are for.
#include <algorithm>
#include <map>

#include "control/model/hosts.h"
#include "control/model/snapshot.h"
#include "control/model/warnings.h"

namespace plait::control::model {
namespace {

// Sorted. A rule for chosen clients is for those of its own namespace, whatever it says.
std::vector<std::string> ExportOf(const DestinationRule& rule, const MeshConfig& mesh) {
  if (!rule.workload_selector.empty()) return {"."};
  std::vector<std::string> out = rule.export_to.empty() ? mesh.default_destination_rule_export_to : rule.export_to;
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// `everywhere`: nobody gets the policy of the younger one.
Finding PolicyNotInForce(const std::string& host, const Meta& older, const Meta& younger, bool everywhere) {
  return WarningOf(younger, {},
                   older.key.ToString() + " at " + PlaceOf(older) + " has another trafficPolicy for the host " + host +
                       "; that one is in force, " + WhyInForce(older, younger) + ", and the one of this rule is not" +
                       (everywhere ? "" : " where both are exported to"),
                   "put the policies into one DestinationRule", {}, {}, Errc::kInvalidInput);
}

// Rules that are one rule: the oldest that has a policy gives it, all give subsets.
void Merge(DestinationRule& into, const DestinationRule& younger) {
  if (into.policy == TrafficPolicy{}) into.policy = younger.policy;
  for (const Subset& subset : younger.subsets)
    if (!into.FindSubset(subset.name)) into.subsets.push_back(subset);
}
}  // namespace

void Snapshot::IndexRules() {
  virtual_services_ = OldestFirst<VirtualService>(objects_);
  delegations_ = ResolveDelegates(virtual_services_, mesh_);
  for (std::size_t i = 0; i < virtual_services_.size(); ++i)
    if (delegations_.whole[i]) virtual_services_[i] = delegations_.whole[i].get();
  // Without hosts they are only what others delegate to.
  std::erase_if(virtual_services_, [](const VirtualService* service) { return service->hosts.empty(); });
  std::map<std::pair<std::string, std::string>, std::vector<DestinationRule*>> by_host;  // and namespace
  std::map<const DestinationRule*, const Meta*> givers;                                  // of the policy
  for (const DestinationRule* rule : OldestFirst<DestinationRule>(objects_)) {
    auto copy = std::make_unique<DestinationRule>(*rule);
    copy->host = ResolveHost(rule->host, rule->meta.name_space(), mesh_.cluster_domain);
    copy->export_to = ExportOf(*rule, mesh_);
    // Nobody may get of a rule what is not exported to him, so the younger becomes part of an older one only if it is
    // exported wherever that one is; elsewhere it is a rule of its own. As in Istio "*" is a name like any other here.
    bool apart = true;
    std::vector<DestinationRule*>& same_host = by_host[{copy->host, rule->meta.name_space()}];
    for (DestinationRule* older : same_host) {
      if (older->workload_selector != copy->workload_selector) continue;
      if (!std::includes(copy->export_to.begin(), copy->export_to.end(), older->export_to.begin(),
                         older->export_to.end()))
        continue;
      const bool one = older->export_to == copy->export_to;
      if (one) apart = false;
      if (older->policy == TrafficPolicy{})
        givers[older] = &rule->meta;
      else if (copy->policy != TrafficPolicy{} && copy->policy != older->policy)
        findings_.push_back(PolicyNotInForce(copy->host, *givers.at(older), rule->meta, one));
      Merge(*older, *copy);
    }
    if (!apart) continue;
    givers[copy.get()] = &rule->meta;
    same_host.push_back(copy.get());
    rules_.push_back(std::move(copy));
  }
  // Rules for chosen clients stand before those for all.
  std::stable_sort(rules_.begin(), rules_.end(), [](const auto& a, const auto& b) {
    return !a->workload_selector.empty() && b->workload_selector.empty();
  });
  for (const auto& rule : rules_) {
    NamespaceRules& rules = rules_by_namespace_[rule->meta.name_space()];
    rules.by_host[rule->host].push_back(rule.get());
    if (IsWildcard(rule->host)) rules.wildcards.push_back(rule.get());
  }
}

std::vector<const VirtualService*> Snapshot::VirtualServices(std::string_view name_space,
                                                             std::string_view gateway) const {
  std::vector<const VirtualService*> out;
  for (const VirtualService* service : virtual_services_) {
    const auto& export_to = service->export_to.empty() ? mesh_.default_virtual_service_export_to : service->export_to;
    if (!IsExportedTo(export_to, service->meta.name_space(), name_space)) continue;
    const bool bound = gateway == "mesh" ? service->OnMesh()
                                         : std::find(service->gateways.begin(), service->gateways.end(), gateway) !=
                                               service->gateways.end();
    if (bound) out.push_back(service);
  }
  return out;
}

const DestinationRule* Snapshot::RuleIn(std::string_view owner, std::string_view hostname,
                                        const Proxy& proxy) const noexcept {
  const auto rules = rules_by_namespace_.find(owner);
  if (rules == rules_by_namespace_.end()) return nullptr;
  const auto is_for = [&](const DestinationRule* rule) {
    return IsExportedTo(rule->export_to, owner, proxy.name_space) && Selects(rule->workload_selector, proxy.labels);
  };
  if (const auto exact = rules->second.by_host.find(hostname); exact != rules->second.by_host.end())
    for (const DestinationRule* rule : exact->second)
      if (is_for(rule)) return rule;
  const DestinationRule* best = nullptr;  // the longest pattern is the most specific one
  for (const DestinationRule* rule : rules->second.wildcards)
    if (HostMatches(rule->host, hostname) && is_for(rule) && (!best || rule->host.size() > best->host.size()))
      best = rule;
  return best;
}

const DestinationRule* Snapshot::FindDestinationRule(const Proxy& proxy, std::string_view hostname,
                                                     std::string_view owner) const noexcept {
  if (proxy.name_space != mesh_.root_namespace)
    if (const DestinationRule* rule = RuleIn(proxy.name_space, hostname, proxy)) return rule;
  if (owner != mesh_.root_namespace)
    if (const DestinationRule* rule = RuleIn(owner, hostname, proxy)) return rule;
  return RuleIn(mesh_.root_namespace, hostname, proxy);
}

std::vector<const Gateway*> Snapshot::GatewaysOf(const Labels& labels) const {
  std::vector<const Gateway*> out;
  for (const Gateway* gateway : gateways_)
    if (Selects(gateway->selector, labels)) out.push_back(gateway);
  return out;
}

}  // namespace plait::control::model
