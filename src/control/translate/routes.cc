#include "control/translate/routes.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/model/hosts.h"
#include "control/translate/gateway_servers.h"
#include "control/translate/http_route.h"
#include "control/translate/names.h"

namespace plait::control::translate {
namespace {
using model::ServiceView;

bool MayBeHttp(model::Protocol protocol) { return model::IsHttp(protocol) || protocol == model::Protocol::kAuto; }

// All names by which a client in `name_space` may call a host on a port, the full one first.
std::vector<std::string> DomainsOf(const ServiceView& service, std::string_view name_space, std::uint16_t port) {
  std::vector<std::string> names{service.hostname};
  if (service.service) {
    const std::string qualified = service.name + "." + service.name_space;
    if (service.name_space == name_space) names.push_back(service.name);
    names.push_back(qualified + ".svc");
    names.push_back(qualified);
    if (service.headless)  // and its pods by theirs
      for (std::size_t i = 0, count = names.size(); i < count; ++i) names.push_back("*." + names[i]);
  }
  for (const io::Cidr& vip : service.vips)
    if (vip.length == (vip.base.is_v4() ? 32 : 128))
      names.push_back(vip.base.is_v4() ? vip.base.ToString() : "[" + vip.base.ToString() + "]");
  std::vector<std::string> out;
  const std::string suffix = ":" + std::to_string(port);
  for (const std::string& name : names) {
    out.push_back(name);
    out.push_back(name + suffix);
  }
  return out;
}

class SidecarRoutes {
 public:
  SidecarRoutes(const model::Proxy& proxy, const model::Snapshot& snapshot, std::uint16_t port)
      : scope_{proxy, snapshot, "mesh", port}, rules_(snapshot.VirtualServices(proxy.name_space, "mesh")) {}

  std::optional<xds::RouteConfiguration> Build() {
    xds::RouteConfiguration out;
    out.name = std::to_string(scope_.port);
    out.validate_clusters = false;
    out.max_direct_response_body_size = model::kMaxDirectResponseBody;
    for (const ServiceView* service : scope_.snapshot.VisibleServices(scope_.proxy.name_space)) {
      const model::ServicePort* port = service->FindPort(scope_.port);
      if (service->alias_of) continue;  // its names are among those of its target
      if (port && MayBeHttp(port->protocol)) AddService(*service, *port, out);
    }
    for (const model::VirtualService* rule : rules_) AddHostsWithoutService(*rule, out);
    if (out.virtual_hosts.empty()) return std::nullopt;
    if (scope_.proxy.form == model::Proxy::Form::kEnvoy) AddUnknownHosts(out);
    return out;
  }

 private:
  // The rules for a host: an exact one before a wildcard, the longer wildcard before the shorter, then the older.
  const model::VirtualService* RuleFor(std::string_view hostname) const {
    const model::VirtualService* best = nullptr;
    std::size_t best_length = 0;
    for (const model::VirtualService* rule : rules_) {
      if (rule->http.empty()) continue;
      for (const std::string& written : rule->hosts) {
        const std::string host = Resolve(*rule, written);
        if (!model::HostMatches(host, hostname)) continue;
        const std::size_t length = host == hostname ? SIZE_MAX : host.size();
        if (!best || length > best_length) {
          best = rule;
          best_length = length;
        }
      }
    }
    return best;
  }

  std::string Resolve(const model::VirtualService& rule, const std::string& host) const {
    return model::ResolveHost(host, rule.meta.name_space(), scope_.snapshot.mesh().cluster_domain);
  }

  void Add(xds::VirtualHost host, xds::RouteConfiguration& out) {
    std::erase_if(host.domains, [this](const std::string& domain) { return !domains_.insert(domain).second; });
    if (!host.domains.empty()) out.virtual_hosts.push_back(std::move(host));
  }

  void AddService(const ServiceView& service, const model::ServicePort& port, xds::RouteConfiguration& out) {
    xds::VirtualHost host;
    host.name = service.hostname + ":" + std::to_string(port.port);
    host.include_request_attempt_count = true;
    host.domains = DomainsOf(service, scope_.proxy.name_space, port.port);
    for (const ServiceView* alias : service.aliases) {
      if (!model::IsExportedTo(alias->export_to, alias->name_space, scope_.proxy.name_space)) continue;
      const std::vector<std::string> names = DomainsOf(*alias, scope_.proxy.name_space, port.port);
      host.domains.insert(host.domains.end(), names.begin(), names.end());
    }
    if (const model::VirtualService* rule = RuleFor(service.hostname)) host.routes = HttpRoutes(scope_, *rule);
    if (host.routes.empty()) host.routes.push_back(DefaultRoute(scope_, service, port));
    hosts_.insert(service.hostname);
    Add(std::move(host), out);
  }

  void AddHostsWithoutService(const model::VirtualService& rule, xds::RouteConfiguration& out) {
    std::vector<xds::Route> routes = rule.http.empty() ? std::vector<xds::Route>{} : HttpRoutes(scope_, rule);
    if (routes.empty()) return;
    for (const std::string& written : rule.hosts) {
      const std::string host = Resolve(rule, written);
      // A service with this name on other ports only: the rule says nothing for this port.
      if (hosts_.contains(host) ||
          (!model::IsWildcard(host) && scope_.snapshot.FindService(host, scope_.proxy.name_space)))
        continue;
      xds::VirtualHost out_host;
      out_host.name = host + ":" + std::to_string(scope_.port);
      out_host.include_request_attempt_count = true;
      out_host.domains = host == "*" ? std::vector<std::string>{"*"}
                                     : std::vector<std::string>{host, host + ":" + std::to_string(scope_.port)};
      out_host.routes = routes;
      Add(std::move(out_host), out);
    }
  }

  // The outbound policy as a virtual host, with Istio's names; a plait-proxy decides by itself.
  void AddUnknownHosts(xds::RouteConfiguration& out) {
    xds::Route route;
    xds::VirtualHost host;
    if (scope_.snapshot.mesh().registry_only) {
      host.name = route.name = "block_all";
      route.action = xds::DirectResponse{.status = 502};
    } else {
      host.name = route.name = "allow_any";
      xds::RouteAction action;
      action.clusters.push_back({.name = std::string(kPassthroughCluster)});
      action.timeout = Duration::zero();
      route.action = std::move(action);
    }
    host.include_request_attempt_count = true;
    host.domains = {"*"};
    host.routes.push_back(std::move(route));
    Add(std::move(host), out);
  }

  const RouteScope scope_;
  std::vector<const model::VirtualService*> rules_;
  std::set<std::string> hosts_;
  std::set<std::string> domains_;
};

bool IsCatchAll(const xds::Route& route) {
  return route.match.path == xds::PathMatch{} && route.match.headers.empty() && route.match.query_parameters.empty();
}

// The routes of a gateway: rules of all servers of that name, merged by host (as Istio does for gateways).
std::optional<xds::RouteConfiguration> GatewayRoutes(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                     std::string_view name) {
  std::map<std::string, xds::VirtualHost> hosts;
  std::uint16_t port = 0;
  bool found = false;
  for (const ServerView& server : ServersOf(proxy, snapshot)) {
    if (server.route_name != name) continue;
    found = true;
    port = server.server->port;
    const std::string gateway = server.gateway->meta.name_space() + "/" + server.gateway->meta.name();
    const RouteScope scope{proxy, snapshot, gateway, port};
    for (const model::VirtualService* rule : snapshot.VirtualServices(proxy.name_space, gateway)) {
      const std::vector<std::string> shared = SharedHosts(server, *rule, snapshot.mesh().cluster_domain);
      if (shared.empty() || rule->http.empty()) continue;
      const std::vector<xds::Route> routes = HttpRoutes(scope, *rule);
      for (const std::string& host : shared) {
        xds::VirtualHost& out = hosts[host];
        out.name = host + ":" + std::to_string(port);
        out.domains = {host};
        out.include_request_attempt_count = true;
        if (server.server->tls.https_redirect) out.require_tls = xds::VirtualHost::RequireTls::kAll;
        for (const xds::Route& route : routes)
          if (std::find(out.routes.begin(), out.routes.end(), route) == out.routes.end()) out.routes.push_back(route);
      }
    }
    if (!server.server->tls.https_redirect) continue;
    for (const std::string& host : ServerHosts(server)) {
      xds::VirtualHost& out = hosts[host];
      out.name = host + ":" + std::to_string(port);
      out.domains = {host};
      out.require_tls = xds::VirtualHost::RequireTls::kAll;
    }
  }
  if (!found) return std::nullopt;
  xds::RouteConfiguration out;
  out.name = name;
  out.validate_clusters = false;
  out.max_direct_response_body_size = model::kMaxDirectResponseBody;
  out.ignore_port_in_host_matching = true;
  // With these Istio's proxies tell each other who calls: of a stranger they would be lies.
  out.internal_only_headers = {"x-envoy-peer-metadata", "x-envoy-peer-metadata-id"};
  for (auto& [domain, host] : hosts) {
    // A rule of another VirtualService must not be hidden behind a catch-all of the first.
    std::stable_partition(host.routes.begin(), host.routes.end(),
                          [](const xds::Route& route) { return !IsCatchAll(route); });
    out.virtual_hosts.push_back(std::move(host));
  }
  if (out.virtual_hosts.empty())
    out.virtual_hosts.push_back({.name = "blackhole:" + std::to_string(port), .domains = {"*"}});
  return out;
}
}  // namespace

std::optional<xds::RouteConfiguration> FindRoutes(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                  std::string_view name) {
  if (proxy.type == model::Proxy::Type::kRouter) return GatewayRoutes(proxy, snapshot, name);
  const auto port = PortOfRoutes(name);
  if (!port) return std::nullopt;
  return SidecarRoutes(proxy, snapshot, *port).Build();
}

std::vector<std::string> RouteNames(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::set<std::string> out;
  if (proxy.type == model::Proxy::Type::kRouter) {
    for (const ServerView& server : ServersOf(proxy, snapshot))
      if (!server.route_name.empty()) out.insert(server.route_name);
  } else {
    for (const ServiceView* service : snapshot.VisibleServices(proxy.name_space)) {
      if (service->alias_of) continue;
      for (const model::ServicePort& port : service->ports)
        if (MayBeHttp(port.protocol)) out.insert(std::to_string(port.port));
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace plait::control::translate
