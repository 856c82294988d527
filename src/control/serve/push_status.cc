#include "control/serve/push_status.h"

#include <algorithm>
#include <set>
#include <utility>

#include "control/model/hosts.h"
#include "control/translate/names.h"

namespace plait::control::serve {
namespace {

using model::Meta;
using model::Protocol;
using model::ServiceView;
using model::Snapshot;

// "VirtualService default/reviews (mesh/reviews.yaml:12)".
std::string Text(const Meta& meta) {
  return meta.key.ToString() + " (" + meta.at.file + ":" + std::to_string(meta.at.line) + ")";
}

// A ServiceEntry may have several hosts: "one.example of ServiceEntry default/outside (mesh/outside.yaml:3)".
std::string OfHost(const ServiceView& service) {
  return (service.service == nullptr ? service.hostname + " of " : "") + Text(service.meta());
}

class Status {
 public:
  explicit Status(const Snapshot& mesh)
      : mesh_(mesh), rules_(model::OldestFirst<model::DestinationRule>(mesh.objects())) {}

  PushStatus Run() {
    DuplicateDomains();
    DuplicateSubsets();
    DuplicateClusters();
    SharedAddresses();
    for (const auto& service : mesh_.services()) {
      NoInstances(*service);
      InboundConflicts(*service);
    }
    NotReady();
    return std::move(out_);
  }

 private:
  std::string Resolve(const std::string& host, const Meta& meta) const {
    return model::ResolveHost(host, meta.name_space(), mesh_.mesh().cluster_domain);
  }

  // The oldest VirtualService of the mesh's clients has a host.
  void DuplicateDomains() {
    std::map<std::string, const model::VirtualService*> owners;
    for (const auto* service : model::OldestFirst<model::VirtualService>(mesh_.objects())) {
      if (!service->OnMesh() || service->http.empty()) continue;
      for (const std::string& written : service->hosts) {
        const std::string host = Resolve(written, service->meta);
        const auto [owner, added] = owners.emplace(host, service);
        if (added || owner->second == service) continue;
        Add("pilot_vservice_dup_domain", host,
            Text(service->meta) + " repeats the host of " + Text(owner->second->meta) + ", which is in force");
      }
    }
  }

  // Rules of a namespace for one host are merged; of subsets with one name the oldest rule's counts.
  void DuplicateSubsets() {
    std::map<std::pair<std::string, std::string>, std::map<std::string, const model::DestinationRule*>> subsets;
    for (const auto* rule : rules_) {
      if (!rule->workload_selector.empty()) continue;
      const std::string host = Resolve(rule->host, rule->meta);
      auto& known = subsets[{rule->meta.name_space(), host}];
      for (const model::Subset& subset : rule->subsets) {
        const auto [owner, added] = known.emplace(subset.name, rule);
        if (added) continue;
        Add("pilot_destrule_subsets", host,
            "subset " + subset.name + " of " + Text(rule->meta) + " stands in " + Text(owner->second->meta) +
                " already, which is in force");
      }
    }
  }

  // Services of one hostname and port whom a client of some namespace cannot tell apart.
  void DuplicateClusters() {
    const auto& services = mesh_.services();
    for (std::size_t i = 1; i < services.size(); ++i) {
      const ServiceView& first = *services[i - 1];
      const ServiceView& second = *services[i];
      if (first.hostname != second.hostname) continue;
      for (const model::ServicePort& port : second.ports)
        if (first.FindPort(port.port))
          Add("pilot_duplicate_envoy_clusters", translate::OutboundCluster(port.port, "", second.hostname),
              Text(second.meta()) + " has host and port of " + Text(first.meta()));
    }
  }

  // TCP can only be told apart by the address: of two services on one the first gets the connections.
  void SharedAddresses() {
    std::map<std::pair<std::string, std::uint16_t>, const ServiceView*> owners;
    for (const auto& service : mesh_.services())
      for (const model::ServicePort& port : service->ports) {
        if (port.protocol != Protocol::kTcp && port.protocol != Protocol::kAuto) continue;
        for (const io::Cidr& vip : service->vips) {
          const auto [owner, added] = owners.emplace(std::pair(vip.ToString(), port.port), service.get());
          if (added || owner->second == service.get()) continue;
          const bool one = vip.length == (vip.base.is_v4() ? 32 : 128);
          Add("pilot_conflict_outbound_listener_tcp_over_current_tcp",
              (one ? vip.base.ToString() : vip.ToString()) + "_" + std::to_string(port.port),  // a listener's name
              OfHost(*service) + " has address and port of " + OfHost(*owner->second) + ", which gets the connections");
        }
      }
  }

  void NoInstances(const ServiceView& service) {
    if (service.resolution != ServiceView::Resolution::kEndpoints) return;
    const model::Proxy client{.name_space = service.name_space};
    const model::DestinationRule* rule = mesh_.FindDestinationRule(client, service.hostname, service.name_space);
    for (const model::ServicePort& port : service.ports) {
      if (port.protocol == Protocol::kUdp) continue;
      const auto& endpoints = service.EndpointsOf(port);
      const auto none = [&](const model::Labels& labels) {
        return std::none_of(endpoints.begin(), endpoints.end(),
                            [&](const auto& e) { return e.ready && model::Selects(labels, e.labels); });
      };
      if (none({}))
        Add("pilot_eds_no_instances", translate::OutboundCluster(port.port, "", service.hostname),
            Text(service.meta()) + " has no ready endpoint on port " + std::to_string(port.port));
      for (const model::Subset& subset : rule ? rule->subsets : std::vector<model::Subset>{})
        if (none(subset.labels))
          Add("pilot_eds_no_instances", translate::OutboundCluster(port.port, subset.name, service.hostname),
              "subset " + subset.name + " of " + Text(OwnerOf(subset, *rule)) + " selects no ready endpoint");
    }
  }

  // The rule in which a subset of a merged rule stands: the merged one has the name and place of its oldest.
  const Meta& OwnerOf(const model::Subset& subset, const model::DestinationRule& merged) const {
    const Meta& meta = merged.meta;
    const auto has = [&](const model::DestinationRule* rule) {
      const model::Subset* own = rule->FindSubset(subset.name);
      return own && *own == subset && rule->meta.name_space() == meta.name_space() &&
             rule->workload_selector == merged.workload_selector && Resolve(rule->host, rule->meta) == merged.host;
    };
    const auto owner = std::find_if(rules_.begin(), rules_.end(), has);
    return owner == rules_.end() ? meta : (*owner)->meta;
  }

  void NotReady() {
    std::map<const model::Workload*, std::string> ports;
    for (const auto& service : mesh_.services())
      for (const model::ServicePort& port : service->ports)
        for (const model::EndpointView& endpoint : service->EndpointsOf(port))
          if (endpoint.workload && !endpoint.ready) {
            std::string& text = ports[endpoint.workload];
            text += (text.empty() ? ", so " : ", ") + Text(service->meta()) + " leads nothing to its port " +
                    std::to_string(endpoint.port);
          }
    for (const model::Workload& workload : mesh_.workloads())
      if (!workload.ready && !workload.ending && !workload.ips.empty())
        out_["pilot_endpoint_not_ready"][workload.ips[0].ToString()] = {
            .proxy = workload.name + "." + workload.name_space,
            .message = "pod " + workload.name_space + "/" + workload.name + " is not ready" + ports[&workload]};
  }

  // Two services that declare different protocols for one port of a pod.
  void InboundConflicts(const ServiceView& service) {
    for (const model::ServicePort& port : service.ports) {
      if (port.protocol == Protocol::kAuto || port.protocol == Protocol::kUdp) continue;
      for (const model::EndpointView& endpoint : service.EndpointsOf(port)) {
        if (endpoint.workload == nullptr) continue;
        const auto [known, added] =
            declared_.emplace(std::pair(endpoint.workload, endpoint.port), std::pair(port.protocol, &service));
        if (added || known->second.first == port.protocol) continue;
        const model::Workload& workload = *endpoint.workload;
        out_["pilot_conflict_inbound_listener"][workload.ips[0].ToString() + ":" + std::to_string(endpoint.port)] = {
            .proxy = workload.name + "." + workload.name_space,
            .message = Text(service.meta()) + " declares another protocol than " + Text(known->second.second->meta()) +
                       ", which is in force"};
      }
    }
  }

  void Add(std::string_view metric, std::string key, std::string message) {
    std::string& text = out_[metric][std::move(key)].message;
    if (!text.empty()) text += "; ";
    text += message;
  }

  const Snapshot& mesh_;
  const std::vector<const model::DestinationRule*> rules_;
  std::map<std::pair<const model::Workload*, std::uint16_t>, std::pair<Protocol, const ServiceView*>> declared_;
  PushStatus out_;
};

}  // namespace

PushStatus PushStatusOf(const Snapshot& mesh) { return Status(mesh).Run(); }

}  // namespace plait::control::serve
