#include "control/translate/l4_routes.h"

#include "control/model/hosts.h"
#include "control/translate/destinations.h"
#include "control/translate/names.h"

namespace plait::control::translate {
namespace {
using model::ServiceView;

// Where connections to a service go: its VIPs, or for a headless one its pods.
std::vector<io::Cidr> AddressesOf(const ServiceView& service, const model::ServicePort& port) {
  std::vector<io::Cidr> out = service.vips;
  if (!out.empty()) return out;
  for (const model::EndpointView& endpoint : service.EndpointsOf(port))
    for (const io::IpAddress& ip : endpoint.ips) out.push_back({ip, static_cast<std::uint8_t>(ip.is_v4() ? 32 : 128)});
  return out;
}

class Builder {
 public:
  Builder(const model::Proxy& proxy, const model::Snapshot& snapshot, std::uint16_t port)
      : proxy_(proxy), snapshot_(snapshot), port_(port) {}

  std::optional<xds::L4Routes> Build() {
    out_.name = std::to_string(port_);
    for (const model::VirtualService* rules : snapshot_.VirtualServices(proxy_.name_space, "mesh"))
      for (const model::L4Rule& rule : rules->l4) Add(*rules, rule);
    for (const ServiceView* service : snapshot_.VisibleServices(proxy_.name_space)) {
      const model::ServicePort* port = service->FindPort(port_);
      // Services with an address of their own are found by it; external ones also by the name in the ClientHello.
      if (!port || !model::IsTls(port->protocol) || !service->entry) continue;
      xds::L4Route route;
      route.sni = {service->hostname};
      route.clusters = {{.name = OutboundCluster(port_, "", service->hostname)}};
      out_.routes.push_back(std::move(route));
    }
    if (out_.routes.empty()) return std::nullopt;
    return std::move(out_);
  }

 private:
  void Add(const model::VirtualService& rules, const model::L4Rule& rule) {
    std::vector<xds::L4WeightedCluster> clusters;
    for (const model::WeightedDestination& to : rule.destinations)
      if (to.weight > 0)
        clusters.push_back({ClusterOf(proxy_, snapshot_, to.destination, rules.meta.name_space(), port_), to.weight});
    if (clusters.size() == 1) clusters[0].weight = 1;
    if (clusters.empty()) return;
    static const model::L4Match kAlways;
    const auto emit = [&](const model::L4Match& match) {
      if (!IsForClient(match.source, proxy_, "mesh", port_)) return;
      xds::L4Route route;
      route.clusters = clusters;
      route.name = rules.meta.name();
      route.sni = match.sni_hosts;
      route.destinations = match.destination_subnets;
      // A tcp rule is for connections to its own hosts; a tls rule for whatever carries its SNI.
      if (!rule.tls && route.destinations.empty() && !AddHostAddresses(rules, route.destinations)) return;
      if (rule.tls && !ServesPort(rules, match)) return;
      out_.routes.push_back(std::move(route));
    };
    if (rule.matches.empty()) emit(kAlways);
    for (const model::L4Match& match : rule.matches) emit(match);
  }

  const ServiceView* ServiceOf(const model::VirtualService& rules, const std::string& host) const {
    return snapshot_.FindService(model::ResolveHost(host, rules.meta.name_space(), snapshot_.mesh().cluster_domain),
                                 proxy_.name_space);
  }

  // False when no host of the rule has this port.
  bool AddHostAddresses(const model::VirtualService& rules, std::vector<io::Cidr>& out) const {
    bool found = false;
    for (const std::string& host : rules.hosts) {
      const ServiceView* service = ServiceOf(rules, host);
      const model::ServicePort* port = service ? service->FindPort(port_) : nullptr;
      if (!port) continue;
      const std::vector<io::Cidr> own = AddressesOf(*service, *port);
      out.insert(out.end(), own.begin(), own.end());
      found |= !own.empty();
    }
    return found;
  }

  // A tls rule says its port, or its hosts have it.
  bool ServesPort(const model::VirtualService& rules, const model::L4Match& match) const {
    if (match.source.port != 0) return true;
    for (const std::string& host : rules.hosts)
      if (const ServiceView* service = ServiceOf(rules, host); service && service->FindPort(port_)) return true;
    return false;
  }

  const model::Proxy& proxy_;
  const model::Snapshot& snapshot_;
  const std::uint16_t port_;
  xds::L4Routes out_;
};
}  // namespace

std::optional<xds::L4Routes> FindL4Routes(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                          std::string_view name) {
  const auto port = PortOfRoutes(name);
  if (!port || proxy.type != model::Proxy::Type::kSidecar) return std::nullopt;
  return Builder(proxy, snapshot, *port).Build();
}

}  // namespace plait::control::translate
