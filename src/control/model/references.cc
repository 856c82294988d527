// What an object refers to and is not there. Warnings: a reference may be made true by the next edit, and until then
// the rest of the object holds.
#include <algorithm>

#include "control/model/gateway_credential.h"
#include "control/model/hosts.h"
#include "control/model/near_host.h"
#include "control/model/pod_references.h"
#include "control/model/snapshot.h"
#include "control/model/warnings.h"
#include "core/yaml/suggest.h"

namespace plait::control::model {
namespace {

class Checker {
 public:
  explicit Checker(const Snapshot& snapshot) : snapshot_(snapshot) {}

  Findings Run() {
    for (const VirtualService* service : ObjectsOf<VirtualService>(snapshot_.objects())) Check(*service);
    for (const DestinationRule* rule : ObjectsOf<DestinationRule>(snapshot_.objects())) Check(*rule);
    for (const Gateway* gateway : ObjectsOf<Gateway>(snapshot_.objects())) Check(*gateway);
    for (const EndpointSlice* slice : ObjectsOf<EndpointSlice>(snapshot_.objects())) Check(*slice);
    for (const auto& service : snapshot_.services()) CheckAlias(*service);
    for (const StatefulSet* set : ObjectsOf<StatefulSet>(snapshot_.objects())) Check(*set);
    for (const auto* policy : ObjectsOf<AuthorizationPolicy>(snapshot_.objects())) CheckScope(*policy);
    for (const auto* policy : ObjectsOf<PeerAuthentication>(snapshot_.objects())) CheckScope(*policy);
    for (const auto* policy : ObjectsOf<RequestAuthentication>(snapshot_.objects())) CheckScope(*policy);
    for (const ServiceEntry* entry : ObjectsOf<ServiceEntry>(snapshot_.objects()))
      if (entry->workload_selector)
        CheckSelected(entry->meta, *entry->workload_selector, entry->selector_at, entry->meta.name_space(), "IST0127");
    return std::move(findings_);
  }

 private:
  void Warn(const Meta& meta, yaml::Mark at, std::string message, std::string hint, std::string code) {
    findings_.push_back(WarningOf(meta, at, std::move(message), std::move(hint), std::move(code)));
  }
  void WarnOfName(const Meta& meta, yaml::Mark at, std::string message, const std::string& remedy,
                  const std::string& until_then = {}, std::string code = "IST0101") {
    findings_.push_back(MissingName(meta, at, std::move(message), remedy, until_then, std::move(code)));
  }

  // Pods with these labels do not run yet, but something makes them ("" as namespace: any).
  bool IsPlanned(const std::string& name_space, const Labels& labels) const {
    const auto makes = [&](const auto& controllers, auto makes_any) {
      return std::any_of(controllers.begin(), controllers.end(), [&](const auto* controller) {
        return makes_any(*controller) && (name_space.empty() || controller->meta.name_space() == name_space) &&
               Selects(labels, controller->pod.labels);
      });
    };
    return makes(ObjectsOf<Deployment>(snapshot_.objects()), [](const auto& d) { return d.replicas > 0; }) ||
           makes(ObjectsOf<StatefulSet>(snapshot_.objects()), [](const auto& s) { return s.replicas > 0; }) ||
           makes(ObjectsOf<Job>(snapshot_.objects()), [](const auto& job) { return !job.suspended; });
  }

  std::string Resolve(const Meta& meta, const std::string& host) const {
    return ResolveHost(host, meta.name_space(), snapshot_.mesh().cluster_domain);
  }

  void Check(const VirtualService& service) {
    for (std::size_t i = 0; i < service.gateways.size(); ++i)
      if (const std::string& gateway = service.gateways[i]; gateway != "mesh" && !HasGateway(gateway))
        WarnOfName(service.meta, PlaceOf(service.gateways_at, i), "Referenced gateway not found: \"" + gateway + "\"",
                   NearGateway(gateway) + "create it, or name one that exists as namespace/name");
    for (const HttpRule& rule : service.http) {
      for (const WeightedDestination& to : rule.destinations) Check(service.meta, to.destination);
      for (const HttpMirror& mirror : rule.mirrors) Check(service.meta, mirror.destination);
    }
    for (const L4Rule& rule : service.l4)
      for (const WeightedDestination& to : rule.destinations) Check(service.meta, to.destination);
  }

  void Check(const Meta& meta, const Destination& destination) {
    const std::string host = Resolve(meta, destination.host);
    const ServiceView* target = snapshot_.FindService(host, meta.name_space());
    if (!target)
      return WarnOfName(meta, destination.at, "Referenced host not found: \"" + destination.host + "\"",
                        near_.Advice(host, meta.name_space()) +
                            "correct the name, or create a Service or ServiceEntry with the host " + host,
                        "requests to it get 503");
    if (destination.port != 0 && !target->FindPort(destination.port))
      WarnOfName(meta, destination.at,
                 "Referenced port not found: \"" + destination.host + ":" + std::to_string(destination.port) + "\"",
                 "use a port of the Service, or add this one to it");
    if (destination.port == 0 && target->ports.size() > 1) {
      std::string ports;
      for (const ServicePort& port : target->ports) ports += (ports.empty() ? "" : " ") + std::to_string(port.port);
      Warn(meta, destination.at,
           "This VirtualService routes to a service \"" + destination.host + "\" that exposes multiple ports [" +
               ports + "]",
           "name one in destination.port.number", "IST0112");
    }
    if (destination.subset.empty()) return;
    const Proxy proxy{.name_space = meta.name_space()};
    const DestinationRule* rule = snapshot_.FindDestinationRule(proxy, host, target->name_space);
    if (!rule || !rule->FindSubset(destination.subset))
      WarnOfName(meta, destination.at,
                 "Referenced host+subset in destinationrule not found: \"" + destination.host + "+" +
                     destination.subset + "\"",
                 NearSubset(rule, destination.subset) + "define the subset in a DestinationRule for " + host,
                 "requests to it get 503");
  }

  void Check(const DestinationRule& rule) {
    const std::string host = Resolve(rule.meta, rule.host);
    if (IsWildcard(host)) return;
    const ServiceView* target = snapshot_.FindService(host, rule.meta.name_space());
    if (!target)
      return WarnOfName(
          rule.meta, rule.host_at.mark,
          "The host " + rule.host + " defined in the DestinationRule does not match any services in the mesh",
          near_.Advice(host, rule.meta.name_space()) + "correct the name, or create a Service or ServiceEntry for it",
          {}, "IST0174");
    for (const Subset& subset : rule.subsets) {
      const bool selected = std::any_of(target->endpoints.begin(), target->endpoints.end(), [&](const auto& endpoints) {
        return std::any_of(endpoints.begin(), endpoints.end(),
                           [&](const EndpointView& endpoint) { return Selects(subset.labels, endpoint.labels); });
      });
      const bool running = std::any_of(target->endpoints.begin(), target->endpoints.end(),
                                       [](const auto& endpoints) { return !endpoints.empty(); });
      if (running && !selected && !IsPlanned(target->name_space, subset.labels))
        Warn(rule.meta, subset.at, "The Subset " + subset.name + " does not select any pods, which may lead to 503 UH",
             "compare its labels with those of the pods", "IST0173");
    }
  }

  void Check(const Gateway& gateway) {
    for (const GatewayServer& server : gateway.servers)
      if (!server.tls.credential_name.empty()) CheckCredential(gateway, server);
    // The ingress gateway is made where a Gateway selects it.
    if (!Selects(gateway.selector, {{"istio", "ingressgateway"}, {"app", "istio-ingressgateway"}}))
      CheckSelected(gateway.meta, gateway.selector, gateway.selector_at, "", "IST0101");
  }

  void CheckCredential(const Gateway& gateway, const GatewayServer& server) {
    const std::string& name = server.tls.credential_name;
    const yaml::Mark at = server.tls.credential_at.mark;
    const Secret* secret = FindCredential(gateway, name);
    if (!secret)
      return Warn(gateway.meta, at, "Referenced credentialName not found: \"" + name + "\"",
                  "create a Secret of type kubernetes.io/tls beside the gateway's pods", "IST0101");
    std::string problem = ProblemOfCertificate(*secret);
    if (problem.empty()) problem = ProblemOfRoots(*secret);
    if (!problem.empty())
      Warn(gateway.meta, at, "the Secret \"" + name + "\" is no credential: " + problem,
           "until it is, gateways show the last good one; those that have none fail the handshakes", "IST0161");
    const bool verifies =
        server.tls.mode == GatewayTls::Mode::kMutual || server.tls.mode == GatewayTls::Mode::kOptionalMutual;
    const Secret* const roots = FindCredential(gateway, name + "-cacert");
    if (verifies && ClientRootsOf(*secret) == nullptr && (roots == nullptr || ClientRootsOf(*roots) == nullptr))
      Warn(gateway.meta, at, "the roots for clients' certificates are missing: no Secret has them for \"" + name + "\"",
           "add ca.crt to it, or create the Secret " + name + "-cacert with ca.crt; until then nobody is let in",
           "IST0101");
  }

  void Check(const EndpointSlice& slice) {
    const std::string host = Resolve(slice.meta, slice.service);
    const ServiceView* service = snapshot_.FindService(host, slice.meta.name_space());
    if (!service || !service->service)
      return WarnOfName(slice.meta, slice.service_at.mark, "Referenced Service not found: \"" + slice.service + "\"",
                        "create it without a selector in this namespace", "the endpoints have no effect");
    if (!service->service->selector.empty())
      return Warn(slice.meta, slice.service_at.mark,
                  "The Service " + slice.service + " has a selector: its endpoints are its pods",
                  "remove its selector, or these endpoints, which have no effect", "IST0101");
    for (const EndpointSlice::Group& group : slice.groups)
      for (const EndpointSlice::Port& port : group.ports)
        if (std::none_of(service->ports.begin(), service->ports.end(),
                         [&](const ServicePort& own) { return own.name == port.name; }))
          Warn(slice.meta, {}, "The Service " + slice.service + " has no port named \"" + port.name + "\"",
               "ports are matched by their names", "IST0101");
  }

  // An ExternalName that leads, maybe by others, back to itself.
  void CheckAlias(const ServiceView& alias) {
    if (!alias.service || alias.service->external_name.empty() || alias.alias_of) return;
    const ServiceView* next = snapshot_.FindService(alias.service->external_name, alias.name_space);
    if (next && next->service && !next->service->external_name.empty() && !next->alias_of)
      Warn(alias.meta(), alias.service->external_name_at.mark,
           "The ExternalName " + alias.service->external_name + " leads to no host: Services refer to each other",
           "let one of them name a Service with endpoints, or a host outside", "IST0101");
  }

  // Without its Service, or with one that has an address of its own, the pods have no names.
  void Check(const StatefulSet& set) {
    if (set.service_name.empty()) return;
    const std::string host = Resolve(set.meta, set.service_name);
    const ServiceView* service = snapshot_.FindService(host, set.meta.name_space());
    if (!service)
      return WarnOfName(set.meta, set.service_name_at.mark,
                        "Referenced serviceName not found: \"" + set.service_name + "\"",
                        "create a Service of this name with clusterIP: None", "the pods have no names in DNS");
    if (!service->headless)
      Warn(set.meta, set.service_name_at.mark,
           "The Service " + set.service_name + " of this StatefulSet is not headless",
           "write clusterIP: None into the Service; its pods have no names in DNS", "IST0101");
  }

  // Policies of the root namespace are for all namespaces.
  template <class Policy>
  void CheckScope(const Policy& policy) {
    const bool root = policy.meta.name_space() == snapshot_.mesh().root_namespace;
    CheckSelected(policy.meta, policy.scope.selector, policy.scope.selector_at, root ? "" : policy.meta.name_space(),
                  "IST0127");
  }

  // `name_space` "": any. Before the first pod runs nothing can be said.
  void CheckSelected(const Meta& meta, const Labels& selector, const Place& at, const std::string& name_space,
                     const char* code) {
    if (selector.empty() || snapshot_.workloads().empty() || IsPlanned(name_space, selector)) return;
    for (const Workload& workload : snapshot_.workloads())
      if ((name_space.empty() || workload.name_space == name_space) && Selects(selector, workload.labels)) return;
    std::string labels;
    for (const auto& [key, value] : selector)
      labels.append(labels.empty() ? "" : ",").append(key).append("=").append(value);
    Warn(meta, at.mark, "No matching workloads for this resource with the following labels: " + labels,
         "compare them with the labels of the pods", code);
  }

  std::string NearGateway(const std::string& written) const {
    std::vector<std::string> names;
    for (const Gateway* gateway : ObjectsOf<Gateway>(snapshot_.objects()))
      names.push_back(gateway->meta.name_space() + "/" + gateway->meta.name());
    return DidYouMean(yaml::Nearest(written, {names.begin(), names.end()}));
  }
  static std::string NearSubset(const DestinationRule* rule, const std::string& written) {
    std::vector<std::string_view> names;
    if (rule)
      for (const Subset& subset : rule->subsets) names.push_back(subset.name);
    return DidYouMean(yaml::Nearest(written, names));
  }

  bool HasGateway(const std::string& name) const {
    for (const Gateway* gateway : ObjectsOf<Gateway>(snapshot_.objects()))
      if (gateway->meta.name_space() + "/" + gateway->meta.name() == name) return true;
    return false;
  }
  // The Secret lies beside the gateway's pods; before they run, beside the Gateway or in the root namespace.
  const Secret* FindCredential(const Gateway& gateway, const std::string& name) const {
    for (const Workload& workload : snapshot_.workloads())
      if (Selects(gateway.selector, workload.labels))
        if (const Secret* secret = snapshot_.FindSecret(workload.name_space, name)) return secret;
    if (const Secret* secret = snapshot_.FindSecret(gateway.meta.name_space(), name)) return secret;
    return snapshot_.FindSecret(snapshot_.mesh().root_namespace, name);
  }

  const Snapshot& snapshot_;
  NearHost near_{snapshot_};
  Findings findings_;
};
}  // namespace

Findings CheckReferences(const Snapshot& snapshot) {
  Findings out = Checker(snapshot).Run();
  for (Finding& finding : CheckPodReferences(snapshot)) out.push_back(std::move(finding));
  return out;
}

}  // namespace plait::control::model
