#pragma once
// From an assignment to what workers balance over: hosts kept from before where they are the same, usable ones, the
// load of each priority, panic. Pure but for creating hosts. Mirrors Envoy's PrioritySet and LoadBalancerBase.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/xds/cluster.h"
#include "proxy/cluster/cluster.h"

namespace plait::proxy::cluster {

// Hosts of one cluster by what makes them the same host: address, identity, name, TLS settings and locality.
struct BySameness {
  using is_transparent = void;
  bool operator()(const std::shared_ptr<Host>& a, const std::shared_ptr<Host>& b) const noexcept;
  bool operator()(const std::shared_ptr<Host>& a, const Host::Facts& b) const noexcept;
  bool operator()(const Host::Facts& a, const std::shared_ptr<Host>& b) const noexcept;
};
using HostTable = std::set<std::shared_ptr<Host>, BySameness>;

// The transport_socket_match that takes an endpoint with this metadata; kDefaultTransport: the cluster's own.
std::uint32_t ChooseTransport(const xds::Cluster& config, const std::map<std::string, std::string>& metadata);

// Replaces `hosts` by those of the assignment; same ones stay the same objects.
std::vector<PriorityHosts> BuildPriorities(const xds::Cluster& config, const xds::ClusterLoadAssignment& assignment,
                                           HostTable& hosts);
// Sets `usable`, `load` and `panic` from the hosts' present health.
struct BalanceRules {
  std::uint32_t overprovisioning = 140;   // percent
  bool weighted_priority_health = false;  // the share of healthy hosts counts their weights
  double panic_threshold = 50;            // percent
};
void Balance(std::vector<PriorityHosts>& priorities, const BalanceRules& rules);

}  // namespace plait::proxy::cluster
