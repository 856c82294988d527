// What an object refers to and is not there; objects that contradict each other. Warnings: a reference may be made true
// by the next edit, and until then the rest of the object holds.
#include <algorithm>
#include <map>

#include "control/model/hosts.h"
#include "control/model/snapshot.h"

namespace plait::control::model {
namespace {

class Checker {
 public:
  explicit Checker(const Snapshot& snapshot) : snapshot_(snapshot) {}

  Findings Run() {
    for (const VirtualService* service : ObjectsOf<VirtualService>(snapshot_.objects())) Check(*service);
    for (const DestinationRule* rule : ObjectsOf<DestinationRule>(snapshot_.objects())) Check(*rule);
    for (const Gateway* gateway : ObjectsOf<Gateway>(snapshot_.objects())) Check(*gateway);
    for (const AuthorizationPolicy* policy : ObjectsOf<AuthorizationPolicy>(snapshot_.objects())) Check(*policy);
    CheckDuplicateHosts();
    return std::move(findings_);
  }

 private:
  void Warn(const Meta& meta, yaml::Mark at, std::string message, std::string hint, std::string code) {
    Position position = meta.at;
    if (at.line != 0) position = {meta.at.file, at.line, at.column};
    findings_.push_back({Severity::kWarning,
                         {.code = Errc::kNotFound,
                          .message = std::move(message),
                          .object = meta.key.ToString(),
                          .at = std::move(position),
                          .hint = std::move(hint)},
                         std::move(code)});
  }

  // Pods with these labels do not run yet, but a Deployment makes them ("" as namespace: any).
  bool IsPlanned(const std::string& name_space, const Labels& labels) const {
    for (const Deployment* deployment : ObjectsOf<Deployment>(snapshot_.objects()))
      if (deployment->replicas > 0 && (name_space.empty() || deployment->meta.name_space() == name_space) &&
          Selects(labels, deployment->template_labels))
        return true;
    return false;
  }

  std::string Resolve(const Meta& meta, const std::string& host) const {
    return ResolveHost(host, meta.name_space(), snapshot_.mesh().cluster_domain);
  }

  void Check(const VirtualService& service) {
    for (const std::string& gateway : service.gateways)
      if (gateway != "mesh" && !HasGateway(gateway))
        Warn(service.meta, {}, "Referenced gateway not found: \"" + gateway + "\"",
             "create it, or name one that exists as namespace/name", "IST0101");
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
      return Warn(meta, destination.at, "Referenced host not found: \"" + destination.host + "\"",
                  "no Service or ServiceEntry has the host " + host + "; requests to it get 503", "IST0101");
    if (destination.port != 0 && !target->FindPort(destination.port))
      Warn(meta, destination.at,
           "Referenced port not found: \"" + destination.host + ":" + std::to_string(destination.port) + "\"",
           "use a port of the Service", "IST0101");
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
      Warn(meta, destination.at,
           "Referenced host+subset in destinationrule not found: \"" + destination.host + "+" + destination.subset +
               "\"",
           "define the subset in a DestinationRule for " + host + "; requests to it get 503", "IST0101");
  }

  void Check(const DestinationRule& rule) {
    const std::string host = Resolve(rule.meta, rule.host);
    if (IsWildcard(host)) return;
    const ServiceView* target = snapshot_.FindService(host, rule.meta.name_space());
    if (!target)
      return Warn(rule.meta, {},
                  "The host " + rule.host + " defined in the DestinationRule does not match any services in the mesh",
                  "check the name and the namespace", "IST0174");
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
      if (!server.tls.credential_name.empty() && !HasCredential(gateway, server.tls.credential_name))
        Warn(gateway.meta, server.at, "Referenced credentialName not found: \"" + server.tls.credential_name + "\"",
             "create a Secret of type kubernetes.io/tls beside the gateway's pods", "IST0101");
  }

  void Check(const AuthorizationPolicy& policy) {
    if (policy.scope.selector.empty() || snapshot_.workloads().empty()) return;
    const bool root = policy.meta.name_space() == snapshot_.mesh().root_namespace;
    for (const Workload& workload : snapshot_.workloads())
      if ((root || workload.name_space == policy.meta.name_space()) && Selects(policy.scope.selector, workload.labels))
        return;
    if (IsPlanned(root ? "" : policy.meta.name_space(), policy.scope.selector)) return;
    std::string labels;
    for (const auto& [key, value] : policy.scope.selector) labels += (labels.empty() ? "" : ",") + key + "=" + value;
    Warn(policy.meta, {}, "No matching workloads for this resource with the following labels: " + labels,
         "compare them with the labels of the pods", "IST0127");
  }

  // The oldest VirtualService has the host (as in Istio); the others would be silent without this.
  void CheckDuplicateHosts() {
    std::map<std::string, const VirtualService*> owners;
    std::vector<const VirtualService*> services = ObjectsOf<VirtualService>(snapshot_.objects());
    std::sort(services.begin(), services.end(), [](const auto* a, const auto* b) { return IsOlder(a->meta, b->meta); });
    for (const VirtualService* service : services) {
      if (!service->OnMesh() || service->http.empty()) continue;
      for (const std::string& host : service->hosts) {
        const auto [owner, added] = owners.emplace(Resolve(service->meta, host), service);
        if (added || owner->second == service) continue;
        Warn(service->meta, {},
             "The VirtualServices " + owner->second->meta.key.name_space + "/" + owner->second->meta.name() + "," +
                 service->meta.name_space() + "/" + service->meta.name() +
                 " associated with mesh gateway define the same host " + host + "; the first is in force",
             "put the rules into one VirtualService", "IST0109");
      }
    }
  }

  bool HasGateway(const std::string& name) const {
    for (const Gateway* gateway : ObjectsOf<Gateway>(snapshot_.objects()))
      if (gateway->meta.name_space() + "/" + gateway->meta.name() == name) return true;
    return false;
  }
  // The Secret lies beside the gateway's pods; before they run, beside the Gateway or in the root namespace.
  bool HasCredential(const Gateway& gateway, const std::string& name) const {
    for (const Workload& workload : snapshot_.workloads())
      if (Selects(gateway.selector, workload.labels) && snapshot_.FindSecret(workload.name_space, name)) return true;
    return snapshot_.FindSecret(gateway.meta.name_space(), name) ||
           snapshot_.FindSecret(snapshot_.mesh().root_namespace, name);
  }

  const Snapshot& snapshot_;
  Findings findings_;
};
}  // namespace

Findings CheckReferences(const Snapshot& snapshot) { return Checker(snapshot).Run(); }

}  // namespace plait::control::model
