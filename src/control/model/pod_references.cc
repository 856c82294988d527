#include "control/model/pod_references.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "control/model/warnings.h"
#include "core/base/strings.h"
#include "core/yaml/suggest.h"

namespace plait::control::model {
namespace {

using Names = std::set<std::string_view>;
using NamesBySpace = std::map<std::string_view, Names>;

const Names& In(const NamesBySpace& all, std::string_view name_space) {
  static const Names kNone;
  const auto found = all.find(name_space);
  return found == all.end() ? kNone : found->second;
}

// What pods are made from, whether one runs or not: a Deployment, StatefulSet, Job or Pod.
struct PodMaker {
  const Meta* meta;
  const Labels* labels;
  const PodSpec* spec;
};

std::vector<PodMaker> PodMakersOf(const Snapshot& snapshot) {
  std::vector<PodMaker> out;
  const auto add = [&](const auto& controllers) {
    for (const auto* one : controllers) out.push_back({&one->meta, &one->pod.labels, &one->pod.spec});
  };
  add(ObjectsOf<Deployment>(snapshot.objects()));
  add(ObjectsOf<StatefulSet>(snapshot.objects()));
  add(ObjectsOf<Job>(snapshot.objects()));
  for (const Pod* pod : ObjectsOf<Pod>(snapshot.objects())) out.push_back({&pod->meta, &pod->meta.labels, &pod->spec});
  return out;
}

// `did you mean "x"? `. O(candidates), therefore only for the first 50 names: who has more wrong does not read them all
// at once.
class NearName {
 public:
  std::string Advice(std::string_view written, const Names& candidates) { return DidYouMean(Of(written, candidates)); }
  std::string Of(std::string_view written, const Names& candidates) {
    if (left_ <= 0) return {};
    --left_;
    return yaml::Nearest(written, {candidates.begin(), candidates.end()});
  }

 private:
  int left_ = 50;
};

// ServiceAccounts that pods name, and callers that policies name.
class Accounts {
 public:
  Accounts(const Snapshot& snapshot, const std::vector<PodMaker>& makers) : snapshot_(snapshot), makers_(makers) {
    for (const ServiceAccount* account : ObjectsOf<ServiceAccount>(snapshot.objects()))
      created_[account->meta.name_space()].insert(account->meta.name());
  }

  Findings Run() {
    for (const PodMaker& maker : makers_) CheckAccountOf(maker);
    const auto policies = ObjectsOf<AuthorizationPolicy>(snapshot_.objects());
    if (!policies.empty()) FindCallers();
    for (const AuthorizationPolicy* policy : policies) Check(*policy);
    return std::move(findings_);
  }

 private:
  void Warn(const Meta& meta, yaml::Mark at, std::string message, std::string hint) {
    findings_.push_back(WarningOf(meta, at, std::move(message), std::move(hint), "IST0101"));
  }

  // The pod gets a certificate for any account. Who creates none in a namespace does without them there (Plait needs
  // none), so that a missing one is no mistake.
  void CheckAccountOf(const PodMaker& maker) {
    const std::string& name_space = maker.meta->name_space();
    const std::string& account = maker.spec->service_account;
    const Names& created = In(created_, name_space);
    if (created.empty() || created.contains(account) || IsAlwaysThere(name_space, account)) return;
    Warn(*maker.meta, maker.spec->service_account_at.mark, "Referenced service account not found: \"" + account + "\"",
         near_.Advice(account, created) +
             "correct serviceAccountName, or create the ServiceAccount; until then policies see " +
             snapshot_.IdentityOf(name_space, account) + ", and on Kubernetes the pods do not start");
  }

  // Kubernetes makes "default" with each namespace, Plait the ingress gateway.
  bool IsAlwaysThere(std::string_view name_space, std::string_view account) const {
    return account == "default" || (account == kIngressGatewayAccount && name_space == snapshot_.mesh().root_namespace);
  }

  void FindCallers() {
    namespaces_ = {"default",
                   "istio-system",
                   "kube-node-lease",
                   "kube-public",
                   "kube-system",
                   "plait-system",
                   snapshot_.mesh().root_namespace};
    for (const ObjectRef& object : snapshot_.objects()) {
      const Meta& meta = MetaOf(*object);
      if (meta.key.kind == Kind::kNamespace) namespaces_.insert(meta.name());
      if (!meta.name_space().empty()) namespaces_.insert(meta.name_space());
    }
    accounts_ = created_;
    for (const PodMaker& maker : makers_) accounts_[maker.meta->name_space()].insert(maker.spec->service_account);
    for (const Workload& workload : snapshot_.workloads()) {
      namespaces_.insert(workload.name_space);
      accounts_[workload.name_space].insert(workload.service_account);
    }
    for (const ServiceEntry* entry : ObjectsOf<ServiceEntry>(snapshot_.objects()))
      for (const StaticEndpoint& endpoint : entry->endpoints)
        if (!endpoint.service_account.empty()) accounts_[entry->meta.name_space()].insert(endpoint.service_account);
  }

  void Check(const AuthorizationPolicy& policy) {
    Names seen;  // a policy often names the same caller in several rules
    for (const PolicyRule& rule : policy.rules)
      for (const PolicySource& source : rule.from) {
        const std::vector<std::string>& principals = source.principals.any;
        const std::vector<std::string>& namespaces = source.namespaces.any;
        for (std::size_t i = 0; i < namespaces.size(); ++i)
          if (seen.insert(namespaces[i]).second)
            CheckNamespace(policy.meta, PlaceOf(source.callers_at, principals.size() + i), namespaces[i]);
        for (std::size_t i = 0; i < principals.size(); ++i)
          if (seen.insert(principals[i]).second)
            CheckPrincipal(policy.meta, PlaceOf(source.callers_at, i), principals[i]);
      }
  }

  void CheckNamespace(const Meta& meta, yaml::Mark at, const std::string& name) {
    if (IsPattern(name) || namespaces_.contains(name)) return;
    Warn(
        meta, at, "Referenced namespace not found: \"" + name + "\"",
        near_.Advice(name, namespaces_) + "correct the name, or create the Namespace; until then it matches no caller");
  }

  // "cluster.local/ns/default/sa/web". The accounts of other trust domains are not known here.
  void CheckPrincipal(const Meta& meta, yaml::Mark at, const std::string& principal) {
    const std::vector<std::string_view> parts = Split(principal, '/');
    if (IsPattern(principal) || parts.size() != 5 || parts[1] != "ns" || parts[3] != "sa") return;
    // As in the rules that are made of it, "cluster.local" stands for the mesh's own one.
    if (parts[0] != snapshot_.mesh().trust_domain && parts[0] != "cluster.local") return;
    const std::string_view name_space = parts[2];
    const std::string_view account = parts[4];
    if (In(accounts_, name_space).contains(account) ||
        (IsAlwaysThere(name_space, account) && namespaces_.contains(name_space)))
      return;
    const auto [near_space, near_account] = NearAccount(name_space, account);
    const std::string near =
        near_account.empty() ? "" : std::string(parts[0]) + "/ns/" + near_space + "/sa/" + near_account;
    Warn(meta, at, "Referenced service account not found: \"" + principal + "\"",
         DidYouMean(near) +
             "correct the principal, or create the ServiceAccount and pods that have it; until then it matches no "
             "caller");
  }

  static bool IsPattern(std::string_view value) { return value.find('*') != std::string_view::npos; }

  // One of the namespace, else one of this name in another namespace; empty: there is none.
  std::pair<std::string, std::string> NearAccount(std::string_view name_space, std::string_view account) {
    if (account == "default") {  // so it is the namespace that is not there
      std::string near = near_.Of(name_space, namespaces_);
      return near.empty() ? std::pair<std::string, std::string>() : std::pair(std::move(near), std::string(account));
    }
    if (std::string near = near_.Of(account, In(accounts_, name_space)); !near.empty())
      return {std::string(name_space), std::move(near)};
    for (const auto& [other, accounts] : accounts_)
      if (accounts.contains(account)) return {std::string(other), std::string(account)};
    return {};
  }

  const Snapshot& snapshot_;
  const std::vector<PodMaker>& makers_;
  NamesBySpace created_;   // ServiceAccounts
  NamesBySpace accounts_;  // these, and those that pods have without
  Names namespaces_;       // with something in them
  NearName near_;
  Findings findings_;
};

// Names of container ports that Services lead to.
class TargetPorts {
 public:
  TargetPorts(const Snapshot& snapshot, const std::vector<PodMaker>& makers) : snapshot_(snapshot), makers_(makers) {}

  Findings Run() {
    for (const Workload& workload : snapshot_.workloads())
      if (!workload.ending)
        for (const ServiceView* service : snapshot_.ServicesOf(workload))
          if (LeadsToNames(*service)) Add(workload.ports, selected_[service]);
    for (const auto& service : snapshot_.services())
      if (LeadsToNames(*service)) Check(*service);
    return std::move(findings_);
  }

 private:
  // By namespace, label and value: a Service looks at few of its namespace.
  using MakersByLabel =
      std::map<std::tuple<std::string_view, std::string_view, std::string_view>, std::vector<const PodMaker*>>;

  static bool LeadsToNames(const ServiceView& view) {
    if (!view.service || view.service->selector.empty() || !view.service->external_name.empty()) return false;
    for (const ServicePort& port : view.ports)
      if (!port.target_name.empty()) return true;
    return false;
  }
  static void Add(const std::vector<ContainerPort>& ports, Names& to) {
    for (const ContainerPort& port : ports)
      if (!port.name.empty()) to.insert(port.name);
  }

  void Check(const ServiceView& service) {
    const auto running = selected_.find(&service);
    bool selects = running != selected_.end();
    Names names = selects ? running->second : Names{};
    if (HasAll(service, names)) return;
    // While pods are replaced, or before the first runs, it may be one of those to come.
    for (const PodMaker* maker : MakersFor(service)) {
      selects = true;
      for (const Container& container : maker->spec->init_containers)
        if (container.sidecar) Add(container.ports, names);
      for (const Container& container : maker->spec->containers) Add(container.ports, names);
    }
    if (!selects) return;
    for (const ServicePort& port : service.ports)
      if (!port.target_name.empty() && !names.contains(port.target_name)) Warn(service, port, names);
  }

  static bool HasAll(const ServiceView& service, const Names& names) {
    for (const ServicePort& port : service.ports)
      if (!port.target_name.empty() && !names.contains(port.target_name)) return false;
    return true;
  }

  std::vector<const PodMaker*> MakersFor(const ServiceView& service) {
    if (by_label_.empty())
      for (const PodMaker& maker : makers_)
        for (const auto& [label, value] : *maker.labels)
          by_label_[{maker.meta->name_space(), label, value}].push_back(&maker);
    const Labels& selector = service.service->selector;
    const auto found = by_label_.find({service.name_space, selector.begin()->first, selector.begin()->second});
    if (found == by_label_.end()) return {};
    std::vector<const PodMaker*> out;
    for (const PodMaker* maker : found->second)
      if (Selects(selector, *maker->labels)) out.push_back(maker);
    return out;
  }

  void Warn(const ServiceView& service, const ServicePort& port, const Names& names) {
    constexpr std::size_t kListed = 12;
    std::string has;
    for (const std::string_view name : names) has.append(has.empty() ? "" : ", ").append(name);
    if (names.size() > kListed) has = std::to_string(names.size()) + " others";
    const std::string number = std::to_string(port.port);
    findings_.push_back(WarningOf(
        service.meta(), port.target_at.mark,
        "Referenced targetPort not found: \"" + port.target_name + "\" of port " + number,
        near_.Advice(port.target_name, names) + "no container of the pods that it selects has a port of this name" +
            (has.empty() ? "" : ", they have " + has) +
            ": correct targetPort, write the number, or name the container's port; until then port " + number +
            " has no endpoint",
        "IST0101"));
  }

  const Snapshot& snapshot_;
  const std::vector<PodMaker>& makers_;
  std::map<const ServiceView*, Names> selected_;  // by running pods
  MakersByLabel by_label_;
  NearName near_;
  Findings findings_;
};
}  // namespace

Findings CheckPodReferences(const Snapshot& snapshot) {
  const std::vector<PodMaker> makers = PodMakersOf(snapshot);
  Findings out = Accounts(snapshot, makers).Run();
  for (Finding& finding : TargetPorts(snapshot, makers).Run()) out.push_back(std::move(finding));
  return out;
}

}  // namespace plait::control::model
