#include "proxy/cluster/priorities.h"

#include <algorithm>
#include <tuple>

namespace plait::proxy::cluster {
namespace {

bool Before(const Host::Facts& a, const Host::Facts& b) noexcept {
  const auto key = [](const Host::Facts& facts) {
    return std::tie(facts.address, facts.identity, facts.hostname, facts.transport, facts.locality);
  };
  return key(a) < key(b);
}

Host::Facts FactsOf(const xds::Cluster& config, const xds::LocalityEndpoints& group, const xds::Endpoint& endpoint) {
  return {.address = endpoint.address,
          .additional_addresses = endpoint.additional_addresses,
          .hostname = endpoint.hostname.empty() ? endpoint.dns_name : endpoint.hostname,
          .identity = endpoint.identity,
          .transport = ChooseTransport(config, endpoint.transport_socket_match),
          .locality = group.locality,
          .istio_workload = endpoint.istio_workload,
          .canary = endpoint.canary};
}

// A host's share of its locality's weight (Envoy picks the locality first, then the host; the products are the same).
double LocalityWeight(const xds::LocalityEndpoints& group, const xds::Endpoint& endpoint) {
  double sum = 0;
  for (const xds::Endpoint& one : group.endpoints) sum += one.weight;
  return sum == 0 ? 0 : static_cast<double>(group.weight.value_or(1)) * endpoint.weight / sum;
}

}  // namespace

bool BySameness::operator()(const std::shared_ptr<Host>& a, const std::shared_ptr<Host>& b) const noexcept {
  return Before(a->facts(), b->facts());
}
bool BySameness::operator()(const std::shared_ptr<Host>& a, const Host::Facts& b) const noexcept {
  return Before(a->facts(), b);
}
bool BySameness::operator()(const Host::Facts& a, const std::shared_ptr<Host>& b) const noexcept {
  return Before(a, b->facts());
}

std::uint32_t ChooseTransport(const xds::Cluster& config, const std::map<std::string, std::string>& metadata) {
  for (std::uint32_t i = 0; i < config.transport_socket_matches.size(); ++i) {
    const auto& match = config.transport_socket_matches[i].match;
    const bool takes = std::all_of(match.begin(), match.end(), [&](const auto& wanted) {
      const auto at = metadata.find(wanted.first);
      return at != metadata.end() && at->second == wanted.second;
    });
    if (takes) return i;
  }
  return kDefaultTransport;
}

std::vector<PriorityHosts> BuildPriorities(const xds::Cluster& config, const xds::ClusterLoadAssignment& assignment,
                                           HostTable& hosts) {
  HostTable next;
  std::vector<PriorityHosts> priorities(1);
  for (const xds::LocalityEndpoints& group : assignment.localities) {
    const bool idle = config.lb.locality_weighted && group.weight.value_or(0) == 0;
    if (priorities.size() <= group.priority) priorities.resize(group.priority + 1);
    PriorityHosts& priority = priorities[group.priority];
    for (const xds::Endpoint& endpoint : group.endpoints) {
      if (!endpoint.dns_name.empty()) continue;  // not resolved
      Host::Facts facts = FactsOf(config, group, endpoint);
      if (next.contains(facts)) continue;  // given twice
      std::shared_ptr<Host> host;
      const auto known = hosts.find(facts);
      if (known != hosts.end() && (*known)->facts() == facts) {
        host = *known;
        host->Update(endpoint.weight, endpoint.health);
      } else {
        host = std::make_shared<Host>(std::move(facts), endpoint.weight, endpoint.health);
      }
      next.insert(host);
      if (idle) {
        priority.idle.push_back(std::move(host));
        continue;
      }
      priority.all.push_back(std::move(host));
      if (config.lb.locality_weighted) priority.all_weights.push_back(LocalityWeight(group, endpoint));
    }
  }
  hosts = std::move(next);
  return priorities;
}

void Balance(std::vector<PriorityHosts>& priorities, const BalanceRules& rules) {
  std::vector<std::uint64_t> health;
  std::uint64_t total = 0;
  std::uint64_t count = 0;
  for (PriorityHosts& priority : priorities) {
    priority.usable.clear();
    priority.usable_weights.clear();
    const bool degraded = std::none_of(priority.all.begin(), priority.all.end(),
                                       [](const HostPtr& host) { return host->usable() && !host->degraded(); });
    std::uint64_t healthy = 0;
    std::uint64_t whole = 0;
    for (std::size_t i = 0; i < priority.all.size(); ++i) {
      const HostPtr& host = priority.all[i];
      const std::uint64_t share = rules.weighted_priority_health ? host->weight() : 1;
      whole += share;
      if (!host->usable()) continue;
      healthy += share;
      if (host->degraded() && !degraded) continue;
      priority.usable.push_back(host);
      if (!priority.all_weights.empty()) priority.usable_weights.push_back(priority.all_weights[i]);
    }
    health.push_back(whole == 0 ? 0 : std::min<std::uint64_t>(100, healthy * rules.overprovisioning / whole));
    total += health.back();
    count += priority.all.size();
  }
  total = std::min<std::uint64_t>(total, 100);

  std::size_t panics = 0;
  for (PriorityHosts& priority : priorities) {
    const double usable = priority.all.empty() ? 0
                                               : 100.0 * static_cast<double>(priority.usable.size()) /
                                                     static_cast<double>(priority.all.size());
    priority.panic = total < 100 && usable < rules.panic_threshold;
    panics += priority.panic ? 1 : 0;
  }
  std::uint64_t left = 100;
  const bool all_panic = panics == priorities.size() && count > 0;
  for (std::size_t i = 0; i < priorities.size(); ++i) {
    const std::uint64_t share = all_panic    ? 100 * priorities[i].all.size() / count
                                : total == 0 ? 0
                                             : health[i] * 100 / total;
    priorities[i].load = static_cast<std::uint32_t>(std::min(left, share));
    left -= priorities[i].load;
  }
  // What rounding left over goes to the first priority that takes anything (or to the first at all).
  auto first = std::find_if(priorities.begin(), priorities.end(), [](const PriorityHosts& p) { return p.load > 0; });
  if (first == priorities.end()) first = priorities.begin();
  if (first != priorities.end()) first->load += static_cast<std::uint32_t>(left);
}

}  // namespace plait::proxy::cluster
