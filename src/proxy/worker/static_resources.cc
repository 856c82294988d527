#include "proxy/worker/static_resources.h"

#include <set>
#include <string>
#include <utility>

namespace plait::proxy::worker {
namespace {

using Names = std::set<std::string, std::less<>>;

template <class T>
xds::Resource<T> Dated(xds::Resource<T> resource, WallTime time) {
  resource.updated = time;
  return resource;
}

Outcome<const xds::Cluster*> FindDialled(const xds::Bootstrap& bootstrap, const std::string& name, const char* what) {
  for (const auto& cluster : bootstrap.clusters) {
    if (cluster.name != name) continue;
    for (const xds::LocalityEndpoints& locality : cluster.value->load_assignment.localities) {
      if (!locality.endpoints.empty() && locality.endpoints.front().dns_name.empty()) return cluster.value.get();
    }
    return Explain(Errc::kInvalidInput,
                   std::string(what) + ": cluster '" + name + "' has no endpoint with an IP address",
                   "give it type STATIC and a load_assignment");
  }
  return Explain(Errc::kNotFound, std::string(what) + ": there is no cluster '" + name + "' in static_resources",
                 "add it, or correct the name");
}

// Looks for clusters that routes name and that do not exist, as Envoy's validate_clusters; its words, too.
class RouteCheck {
 public:
  RouteCheck(const Names& clusters, Diagnostics& problems) : clusters_(clusters), problems_(problems) {}

  void Listener(const xds::Listener& listener) {
    where_ = "listener " + listener.name + ": ";
    for (const xds::FilterChain& chain : listener.filter_chains) Chain(chain);
    if (listener.default_filter_chain) Chain(*listener.default_filter_chain);
  }

 private:
  void Chain(const xds::FilterChain& chain) {
    for (const xds::NetworkFilter& filter : chain.filters) {
      const auto* http = std::get_if<xds::HttpConnectionManager>(&filter.config);
      if (http == nullptr) continue;
      // Those of RDS are not checked unless they say so: their clusters come by themselves.
      const auto* routes = std::get_if<xds::RouteConfiguration>(&http->routes);
      if (routes != nullptr && routes->validate_clusters.value_or(true)) Routes(*routes);
    }
  }
  void Routes(const xds::RouteConfiguration& routes) {
    Mirrors(routes.mirrors, "route configuration " + routes.name);
    for (const xds::VirtualHost& host : routes.virtual_hosts) {
      Mirrors(host.mirrors, "virtual host " + host.name);
      for (const xds::Route& route : host.routes) {
        const auto* action = std::get_if<xds::RouteAction>(&route.action);
        if (action == nullptr) continue;
        const std::string at = "virtual host " + host.name + ", route " + std::to_string(&route - host.routes.data());
        const char* kind = action->clusters.size() > 1 ? "unknown weighted cluster" : "unknown cluster";
        for (const xds::WeightedCluster& target : action->clusters) Name(target.name, kind, at);
        Mirrors(action->mirrors, at);
      }
    }
  }
  void Mirrors(const std::vector<xds::MirrorPolicy>& mirrors, const std::string& at) {
    for (const xds::MirrorPolicy& mirror : mirrors) Name(mirror.cluster, "unknown shadow cluster", at);
  }
  void Name(const std::string& name, const char* kind, const std::string& at) {
    if (name.empty() || clusters_.contains(name)) return;  // empty: a header of the request names it
    problems_.push_back({.code = Errc::kNotFound,
                         .message = where_ + at + ": route: " + kind + " '" + name + "'",
                         .hint = "add it to static_resources, correct the name, or set validate_clusters: false"});
  }

  const Names& clusters_;
  Diagnostics& problems_;
  std::string where_;
};

}  // namespace

Diagnostics TakeStaticResources(const xds::Bootstrap& bootstrap, ConfigStore& store, WallTime now) {
  Diagnostics problems;
  const auto note = [&](Outcome<> done) {
    if (!done) problems.push_back(std::move(done.error()));
  };
  Names clusters;
  store.BeginBatch();
  for (const auto& secret : bootstrap.secrets) note(store.PutSecret(secret.value, {.fixed = true}));
  for (const auto& cluster : bootstrap.clusters) {
    clusters.insert(cluster.name);
    note(store.PutCluster(Dated(cluster, now), true));
  }
  store.EndBatch();
  RouteCheck check(clusters, problems);
  for (const auto& listener : bootstrap.listeners) {
    check.Listener(*listener.value);
    note(store.PutListener(Dated(listener, now), true));
  }
  return problems;
}

Outcome<const xds::Cluster*> ControlPlaneCluster(const xds::Bootstrap& bootstrap) {
  return FindDialled(bootstrap, bootstrap.dynamic.ads->cluster, "ads_config");
}

Outcome<const xds::Cluster*> AuthorityCluster(const xds::Bootstrap& bootstrap) {
  return FindDialled(bootstrap, bootstrap.identity->ca_cluster, "plait.identity ca_cluster");
}

Diagnostics Validate(const xds::Bootstrap& bootstrap) {
  io::Loop loop;
  telemetry::Registry registry;
  record::LogWriter logs;
  Secrets secrets;
  Sockets sockets({}, Sockets::Bind::kNever);
  // Without workers and without a resolver: what is taken goes nowhere.
  ConfigStore store(loop, {registry, logs}, secrets, sockets, {}, bootstrap.dynamic.initial_fetch_timeout);
  Diagnostics problems = TakeStaticResources(bootstrap, store, loop.clock().Wall());
  const auto note = [&](const Outcome<const xds::Cluster*>& found) {
    if (!found) problems.push_back(found.error());
  };
  if (bootstrap.identity) note(AuthorityCluster(bootstrap));
  if (bootstrap.dynamic.ads) note(ControlPlaneCluster(bootstrap));
  return problems;
}

}  // namespace plait::proxy::worker
