#include "proxy/worker/config_dump_page.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <vector>

#include "core/xds/config_dump.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"
#include "proxy/cluster/priorities.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;
using State = xds::DumpedResource::State;

xds::DumpedFailure Dumped(const ConfigSubscriber::Failure& failure) {
  return {.details = failure.details, .version = failure.version, .attempted = failure.attempted};
}

template <class T, class StateOf>
std::vector<xds::DumpedResource> Dumped(const std::map<std::string, xds::Resource<T>>& all, const DumpSources& from,
                                        std::string_view type_url, StateOf state_of) {
  static const ConfigSubscriber::Failures kNone;
  const ConfigSubscriber::Failures& failures = from.link != nullptr ? from.link->FailuresOf(type_url) : kNone;
  std::vector<xds::DumpedResource> out;
  out.reserve(all.size());
  for (const auto& [name, resource] : all) {
    out.push_back({.state = state_of(name),
                   .name = name,
                   .version = resource.version,
                   .bytes = resource.bytes,
                   .updated = resource.updated});
    if (const auto failed = failures.find(name); failed != failures.end()) out.back().failure = Dumped(failed->second);
  }
  for (const auto& [name, failure] : failures) {  // those of which no version was ever accepted
    if (!all.contains(name)) out.push_back({.state = State::kWarming, .name = name, .failure = Dumped(failure)});
  }
  return out;
}

// What made the hosts of a cluster that does not get them by EDS: hosts do not keep what only a dump shows.
class Origins {
 public:
  struct Origin {
    const xds::LocalityEndpoints* group;
    const xds::Endpoint* endpoint;
  };
  explicit Origins(const xds::Cluster& config) : config_(config) {
    for (const xds::LocalityEndpoints& group : config.load_assignment.localities) {
      for (const xds::Endpoint& endpoint : group.endpoints) all_.push_back({&group, &endpoint});
    }
  }
  // Null: none. Hosts are asked for in about the order of the endpoints, so the search goes on where the last one
  // ended.
  const Origin* Find(std::size_t priority, const cluster::Host::Facts& host) {
    for (std::size_t tries = 0; tries < all_.size(); ++tries, next_ = (next_ + 1) % all_.size()) {
      if (Makes(all_[next_], priority, host)) return &all_[next_];
    }
    return nullptr;
  }

 private:
  bool Makes(const Origin& origin, std::size_t priority, const cluster::Host::Facts& host) const {
    const xds::Endpoint& from = *origin.endpoint;
    const bool here = from.dns_name.empty()
                          ? from.address == host.address
                          : from.dns_port == host.address.port.value &&
                                (from.hostname.empty() ? from.dns_name : from.hostname) == host.hostname;
    return here && origin.group->priority == priority && origin.group->locality == host.locality &&
           from.identity == host.identity &&
           cluster::ChooseTransport(config_, from.transport_socket_match) == host.transport;
  }
  const xds::Cluster& config_;
  std::vector<Origin> all_;
  std::size_t next_ = 0;
};

// As Envoy tells health in one word.
xds::HealthStatus CoarseHealth(const cluster::Host& host) {
  if (!host.usable()) return xds::HealthStatus::kUnhealthy;
  return host.degraded() ? xds::HealthStatus::kDegraded : xds::HealthStatus::kHealthy;
}

// The hosts of a cluster that does not get them by EDS, as they are now.
xds::ClusterLoadAssignment AssignmentOf(const cluster::Cluster& cluster) {
  xds::ClusterLoadAssignment out;
  out.cluster_name = cluster.name();
  Origins origins(*cluster.config);
  for (std::size_t priority = 0; priority < cluster.priorities.size(); ++priority) {
    std::vector<cluster::HostPtr> hosts = cluster.priorities[priority].all;
    std::ranges::copy(cluster.priorities[priority].idle, std::back_inserter(hosts));
    for (const cluster::HostPtr& host : hosts) {
      const cluster::Host::Facts& facts = host->facts();
      const Origins::Origin* origin = origins.Find(priority, facts);
      auto* place = out.localities.empty() ? nullptr : &out.localities.back();
      if (place == nullptr || place->priority != priority || place->locality != facts.locality) {
        place = &out.localities.emplace_back();
        place->locality = facts.locality;
        place->priority = static_cast<std::uint32_t>(priority);
        if (origin != nullptr) place->weight = origin->group->weight;
      }
      xds::Endpoint& endpoint = place->endpoints.emplace_back();
      endpoint.address = facts.address;
      endpoint.additional_addresses = facts.additional_addresses;
      endpoint.hostname = facts.hostname;
      endpoint.health = CoarseHealth(*host);
      endpoint.weight = host->weight();
      endpoint.identity = facts.identity;
      if (origin != nullptr) endpoint.transport_socket_match = origin->endpoint->transport_socket_match;
      endpoint.istio_workload = facts.istio_workload;
      endpoint.canary = facts.canary;
    }
  }
  return out;
}

// `encoded` owns the bytes that the resources refer to.
void AddStaticEndpoints(const ConfigStore& store, std::deque<std::string>& encoded,
                        std::vector<xds::DumpedResource>& out) {
  for (const cluster::ClusterPtr& cluster : store.clusters().All()) {
    const bool listed =
        cluster->config->type != xds::Cluster::Type::kEds && cluster->config->type != xds::Cluster::Type::kOriginalDst;
    if (!listed) continue;
    encoded.push_back(xds::Encode(AssignmentOf(*cluster)));
    out.push_back({.state = State::kStatic, .name = cluster->name(), .bytes = encoded.back()});
  }
}

// Secrets are kept as values: the own one never came over the wire. Those that something waits for have a name only.
void AddSecrets(const DumpSources& from, std::deque<std::string>& encoded, std::vector<xds::DumpedResource>& out) {
  const ConfigStore::Accepted& accepted = from.store.accepted();
  for (const auto& secret : from.secrets.All()) {
    encoded.push_back(xds::Encode(*secret));
    const bool fixed = accepted.fixed.contains("secret/" + secret->name);
    xds::DumpedResource& one = out.emplace_back(xds::DumpedResource{
        .state = fixed ? State::kStatic : State::kActive, .name = secret->name, .bytes = encoded.back()});
    const auto facts = accepted.secrets.find(secret->name);
    if (fixed || facts == accepted.secrets.end()) continue;
    one.version = facts->second.version;
    one.updated = facts->second.updated;
  }
  for (const std::string& name : from.store.MissingSecrets()) {
    encoded.push_back(name);
    xds::DumpedResource& one = out.emplace_back(
        xds::DumpedResource{.state = State::kWarming, .name = encoded.back(), .version = "uninitialized", .bytes = {}});
    if (from.link == nullptr) continue;
    const ConfigSubscriber::Failures& failures = from.link->FailuresOf(url::kSecret);
    if (const auto failed = failures.find(name); failed != failures.end()) one.failure = Dumped(failed->second);
  }
}

}  // namespace

Outcome<std::string> DumpPage(const DumpSources& from, const admin::ConfigDumpQuery& query) {
  const ConfigStore::Accepted& accepted = from.store.accepted();
  const auto always = [](State state) { return [state](const std::string&) { return state; }; };
  const std::string clusters_version = from.link != nullptr ? from.link->VersionOf(url::kCluster) : "";
  const std::string listeners_version = from.link != nullptr ? from.link->VersionOf(url::kListener) : "";
  const xds::Node& node = from.bootstrap.node;
  xds::DumpedConfig dump{.bootstrap = from.bootstrap.bytes,
                         .node = {.id = node.id,
                                  .cluster = node.cluster,
                                  .user_agent_name = node.user_agent_name,
                                  .user_agent_version = node.user_agent_version},
                         .started = from.started,
                         .cluster_version = clusters_version,
                         .listener_version = listeners_version,
                         .clusters = Dumped(accepted.clusters, from, url::kCluster,
                                            [&](const std::string& name) {
                                              if (accepted.fixed.contains("cluster/" + name)) return State::kStatic;
                                              return from.store.clusters().Find(name) != nullptr ? State::kActive
                                                                                                 : State::kWarming;
                                            }),
                         .endpoints = {},
                         .listeners = Dumped(accepted.listeners, from, url::kListener,
                                             [&](const std::string& name) {
                                               if (accepted.fixed.contains("listener/" + name)) return State::kStatic;
                                               return from.store.HasActive(name) ? State::kActive : State::kWarming;
                                             }),
                         .routes = Dumped(accepted.routes, from, url::kRoute, always(State::kActive)),
                         .secrets = {},
                         .l4_routes = Dumped(accepted.l4_routes, from, url::kL4Routes, always(State::kActive)),
                         .addresses = Dumped(accepted.addresses, from, url::kAddress, always(State::kActive))};
  std::deque<std::string> encoded;
  AddSecrets(from, encoded, dump.secrets);
  if (query.include_eds) {
    dump.endpoints = Dumped(accepted.endpoints, from, url::kEndpoint, always(State::kActive));
    AddStaticEndpoints(from.store, encoded, dump.endpoints);
  }
  return xds::DumpConfig(dump, {.resource = query.resource,
                                .mask = query.mask,
                                .name_regex = query.name_regex,
                                .include_eds = query.include_eds});
}

}  // namespace plait::proxy::worker
