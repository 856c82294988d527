// Objects that contradict each other: each is valid, together they are not what somebody meant. Warnings that say which
// one is in force.
#include <algorithm>
#include <map>

#include "control/model/hosts.h"
#include "control/model/snapshot.h"
#include "control/model/warnings.h"

namespace plait::control::model {
namespace {

std::string NameOf(const Meta& meta) { return meta.name_space() + "/" + meta.name(); }

class Conflicts {
 public:
  explicit Conflicts(const Snapshot& snapshot) : snapshot_(snapshot) {}

  Findings Run() {
    CheckDuplicateHosts();
    CheckGateways();
    CheckEntryProtocols();
    CheckAddresses();
    CheckPeerAuthentications();
    return std::move(findings_);
  }

 private:
  struct Server {
    const Gateway* gateway;
    const GatewayServer* server;
  };

  void Warn(const Meta& meta, std::string message, std::string hint, std::string code, yaml::Mark at = {}) {
    findings_.push_back(
        WarningOf(meta, at, std::move(message), std::move(hint), std::move(code), {}, Errc::kInvalidInput));
  }

  std::string Resolve(const Meta& meta, const std::string& host) const {
    return ResolveHost(host, meta.name_space(), snapshot_.mesh().cluster_domain);
  }

  // The oldest VirtualService has the host (as in Istio); the others would be silent without this.
  void CheckDuplicateHosts() {
    std::map<std::string, const VirtualService*> owners;
    for (const VirtualService* service : OldestFirst<VirtualService>(snapshot_.objects())) {
      if (!service->OnMesh() || service->http.empty()) continue;
      for (const std::string& host : service->hosts) {
        const auto [owner, added] = owners.emplace(Resolve(service->meta, host), service);
        if (added || owner->second == service) continue;
        Warn(service->meta,
             "The VirtualServices " + owner->second->meta.key.name_space + "/" + owner->second->meta.name() + "," +
                 service->meta.name_space() + "/" + service->meta.name() +
                 " associated with mesh gateway define the same host " + host + "; the first is in force",
             "put the rules into one VirtualService", "IST0109");
      }
    }
  }

  // Servers of the same pods on one port: the hosts of a listener are told apart by name only.
  void CheckGateways() {
    std::vector<Server> seen;
    for (const Gateway* gateway : OldestFirst<Gateway>(snapshot_.objects()))
      for (const GatewayServer& server : gateway->servers) {
        for (const Server& older : seen)
          if (CheckServers(older, {gateway, &server})) break;
        seen.push_back({gateway, &server});
      }
  }

  // Whether something was said.
  bool CheckServers(const Server& older, const Server& younger) {
    const GatewayServer& a = *older.server;
    const GatewayServer& b = *younger.server;
    if (a.port != b.port || a.bind != b.bind || older.gateway->selector != younger.gateway->selector) return false;
    std::string labels;
    for (const auto& [key, value] : younger.gateway->selector)
      labels.append(labels.empty() ? "" : ",").append(key).append("=").append(value);
    const bool plain_a = !a.IsTls();
    const bool plain_b = !b.IsTls();
    if (plain_a && plain_b && a.protocol != b.protocol) {
      Warn(younger.gateway->meta,
           "port " + std::to_string(b.port) +
               " is HTTP in one and TCP in the other of two servers for the same pods; " + NameOf(older.gateway->meta) +
               " is in force",
           "use another port for one of them", "IST0145", b.at);
      return true;
    }
    if (older.gateway == younger.gateway && plain_a != plain_b) return false;
    std::string hosts;
    for (const std::string& host : b.hosts)
      if (Overlap(a, host)) hosts += (hosts.empty() ? "" : " ") + host;
    if (hosts.empty() || plain_a != plain_b) return false;
    Warn(younger.gateway->meta,
         "Conflict with gateways " + NameOf(older.gateway->meta) + " (workload selector " + labels + ", port " +
             std::to_string(b.port) + ", hosts [" + hosts + "]); where they contradict, the first is in force",
         "give each host to one server", "IST0145", b.at);
    return true;
  }

  static bool Overlap(const GatewayServer& server, const std::string& host) {
    const auto split = [](const std::string& text) {
      const auto slash = text.find('/');
      return slash == std::string::npos ? std::pair(std::string("*"), text)
                                        : std::pair(text.substr(0, slash), text.substr(slash + 1));
    };
    const auto [space, name] = split(host);
    return std::any_of(server.hosts.begin(), server.hosts.end(), [&](const std::string& other) {
      const auto [other_space, other_name] = split(other);
      return (space == "*" || other_space == "*" || space == other_space) && HostsOverlap(name, other_name);
    });
  }

  void CheckEntryProtocols() {
    std::map<std::pair<std::string_view, std::uint16_t>, std::pair<const ServiceView*, Protocol>> first;
    for (const auto& view : snapshot_.services()) {
      if (!view->entry) continue;
      for (const ServicePort& port : view->ports) {
        const auto [known, added] =
            first.emplace(std::pair(std::string_view(view->hostname), port.port), std::pair(view.get(), port.protocol));
        if (added || known->second.second == port.protocol) continue;
        Warn(view->meta(),
             "Multiple ServiceEntries (" + NameOf(known->second.first->meta()) + "," + NameOf(view->meta()) +
                 ") define the same host \"" + view->hostname + "\" and port " + std::to_string(port.port) +
                 " with conflicting protocols",
             "declare the port in one of them", "IST0177");
      }
    }
  }

  void CheckAddresses() {
    std::map<io::Cidr, const ServiceView*> owners;
    for (const auto& view : snapshot_.services()) {
      CheckPodAddresses(*view);
      for (const io::Cidr& vip : view->vips) {
        const auto [owner, added] = owners.emplace(vip, view.get());
        // Hosts of one ServiceEntry share its addresses.
        if (added || (view->entry && owner->second->entry == view->entry)) continue;
        Warn(view->meta(),
             "the address " + vip.ToString() + " is also that of " + owner->second->hostname + ", which is in force",
             "give each service an address of its own, or none: one is chosen then", {});
      }
    }
  }

  // Snapshot::IndexServices has left it out.
  void CheckPodAddresses(const ServiceView& view) {
    if (!view.service) return;
    for (const io::IpAddress& ip : view.service->cluster_ips)
      if (const Workload* pod = snapshot_.FindWorkload(ip))
        Warn(view.meta(),
             "the address " + ip.ToString() + " is that of the pod " + pod->name_space + "/" + pod->name +
                 ", which keeps it",
             "leave clusterIP out: one is chosen then", {});
  }

  // Of one scope the oldest counts, as in Istio; Snapshot::MtlsOf. Beside an invalid one neither does.
  void CheckPeerAuthentications() {
    std::map<std::pair<std::string_view, Labels>, std::vector<const PeerAuthentication*>> scopes;
    for (const auto* policy : OldestFirst<PeerAuthentication>(snapshot_.objects()))
      scopes[{policy->meta.name_space(), policy->scope.selector}].push_back(policy);
    for (const auto& [scope, policies] : scopes) {
      if (std::any_of(policies.begin(), policies.end(), [](const auto* policy) { return policy->invalid; })) continue;
      const PeerAuthentication& oldest = *policies.front();
      for (const PeerAuthentication* policy : policies) {
        if (policy->mode == oldest.mode && policy->ports == oldest.ports) continue;
        Warn(policy->meta,
             oldest.meta.key.ToString() + " at " + PlaceOf(oldest.meta) +
                 " is for the same workloads and says something else; that one is in force, " +
                 WhyInForce(oldest.meta, policy->meta) + ", and this one is not",
             "make one of the two, or give them different selectors", {});
      }
    }
  }

  const Snapshot& snapshot_;
  Findings findings_;
};
}  // namespace

Findings CheckConflicts(const Snapshot& snapshot) { return Conflicts(snapshot).Run(); }

}  // namespace plait::control::model
