#include "control/translate/localities.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "control/translate/endpoints.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {

constexpr std::uint32_t kRanksByLocality = 5;  // the same subzone, zone, region, where it fails over to, others

bool Takes(std::string_view pattern, const xds::Locality& locality) {
  const xds::Locality wanted = ToLocality(pattern);
  const auto takes = [](const std::string& part, const std::string& own) {
    return part.empty() || part == "*" || part == own;
  };
  return (wanted.region == "*" || wanted.region == locality.region) && takes(wanted.zone, locality.zone) &&
         takes(wanted.sub_zone, locality.sub_zone);
}

// Where a client or an endpoint stands: as Istio labels it by that, beside its own labels.
struct Standing {
  const model::Labels& labels;
  const xds::Locality& locality;
  std::string_view node;
  std::string_view network;
  std::string_view cluster;
};
std::string_view ValueOf(const Standing& of, std::string_view label) {
  const std::pair<std::string_view, std::string_view> places[] = {
      {"topology.kubernetes.io/region", of.locality.region},
      {"topology.kubernetes.io/zone", of.locality.zone},
      {"topology.istio.io/subzone", of.locality.sub_zone},
      {"topology.istio.io/cluster", of.cluster},
      {"kubernetes.io/hostname", of.node},
  };
  for (const auto& [name, value] : places)
    if (name == label && !value.empty()) return value;
  if (const auto own = of.labels.find(std::string(label)); own != of.labels.end() && !own->second.empty())
    return own->second;
  return label == "topology.istio.io/network" ? of.network : std::string_view();
}

// A label of failoverPriority, and its value where the client's does not count.
struct Wanted {
  std::string_view label;
  std::optional<std::string_view> value = {};
};
Wanted ToWanted(std::string_view text) {
  const auto parts = Split(text, '=');
  return parts.size() == 2 ? Wanted{parts[0], parts[1]} : Wanted{parts[0]};
}

bool AsksForPlaces(const model::TrafficPolicy& policy) {
  return policy.outlier_detection || (policy.load_balancer && policy.load_balancer->locality) ||
         std::any_of(policy.ports.begin(), policy.ports.end(),
                     [](const auto& port) { return AsksForPlaces(port.second); });
}

std::uint32_t Capped(std::uint64_t weight) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(weight, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

bool AsksForPlaces(const model::DestinationRule& rule) {
  return AsksForPlaces(rule.policy) ||
         std::any_of(rule.subsets.begin(), rule.subsets.end(),
                     [](const model::Subset& subset) { return AsksForPlaces(subset.policy); });
}

Localities::Localities(const model::Proxy& proxy, const model::Snapshot& snapshot, const OutboundTarget& target)
    : proxy_(proxy), snapshot_(snapshot), own_(ToLocality(proxy.locality)) {
  const auto& balancer = target.policy.load_balancer;
  setting_ = balancer && balancer->locality ? &*balancer->locality : &snapshot.mesh().locality;
  if (!setting_->enabled) setting_ = nullptr;
  distribute_ = setting_ && !setting_->distribute.empty();
  // Nobody would ever leave the first priority.
  fail_over_ = setting_ && !distribute_ && target.policy.outlier_detection;
}

const model::LocalityBalancing::Distribution* Localities::Distribution() const {
  for (const auto& distribution : setting_->distribute)
    if (Takes(distribution.from, own_)) return &distribution;
  return nullptr;
}

std::string Localities::Key() const {
  if (distribute_) {
    const auto* own = Distribution();
    return own ? " distributes as " + own->from : " distributes";
  }
  if (!fail_over_) return {};
  std::string out;
  for (const std::string& text : setting_->failover_priority)
    if (const Wanted wanted = ToWanted(text); !wanted.value)
      out.append(" ")
          .append(wanted.label)
          .append("=")
          .append(ValueOf({proxy_.labels, own_, proxy_.node, proxy_.network, snapshot_.options().cluster_id},
                          wanted.label));
  if (setting_->failover_priority.empty() || !setting_->failover.empty()) out.append(" at ").append(proxy_.locality);
  return out;
}

bool Localities::weighted() const noexcept {
  return distribute_ || (fail_over_ && (!setting_->failover.empty() || !setting_->failover_priority.empty()));
}

std::uint32_t Localities::RankByLocality(const xds::Locality& locality) const {
  if (locality.region == own_.region)
    return locality.zone != own_.zone ? 2 : locality.sub_zone != own_.sub_zone ? 1 : 0;
  for (const auto& failover : setting_->failover)
    if (failover.from == own_.region) return locality.region == failover.to ? 3 : 4;
  return 3;
}

// A label counts only where those before it agree.
std::uint32_t Localities::RankByLabels(const model::EndpointView& endpoint) const {
  const xds::Locality locality = ToLocality(endpoint.locality);
  const std::string_view cluster = snapshot_.options().cluster_id;
  const Standing client{proxy_.labels, own_, proxy_.node, proxy_.network, cluster};
  const std::string_view node = endpoint.workload ? std::string_view(endpoint.workload->node) : std::string_view();
  const Standing server{endpoint.labels, locality, node, endpoint.network, cluster};
  const auto& labels = setting_->failover_priority;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Wanted wanted = ToWanted(labels[i]);
    if (wanted.value.value_or(ValueOf(client, wanted.label)) != ValueOf(server, wanted.label))
      return static_cast<std::uint32_t>(labels.size() - i);
  }
  return 0;
}

std::uint32_t Localities::RankOf(const xds::Locality& locality, const model::EndpointView& endpoint) const {
  if (!fail_over_) return 0;
  if (setting_->failover_priority.empty()) return RankByLocality(locality);
  const std::uint32_t rank = RankByLabels(endpoint);
  return setting_->failover.empty() ? rank : rank * kRanksByLocality + RankByLocality(locality);
}

void Localities::Distribute(xds::ClusterLoadAssignment& assignment) const {
  const auto* own = Distribution();
  if (!own) return;
  std::set<const xds::LocalityEndpoints*> chosen;
  for (const auto& [pattern, percent] : own->to) {
    std::vector<xds::LocalityEndpoints*> groups;
    std::uint64_t sum = 0;
    for (xds::LocalityEndpoints& group : assignment.localities) {
      if (!Takes(pattern, group.locality) || !chosen.insert(&group).second) continue;
      groups.push_back(&group);
      sum += group.weight.value_or(1);
    }
    for (xds::LocalityEndpoints* group : groups)  // rounded up
      group->weight = Capped((std::uint64_t{group->weight.value_or(1)} * percent + sum - 1) / sum);
  }
  std::vector<xds::LocalityEndpoints> kept;
  for (xds::LocalityEndpoints& group : assignment.localities)
    if (chosen.contains(&group)) kept.push_back(std::move(group));
  assignment.localities = std::move(kept);
}

void Localities::Arrange(xds::ClusterLoadAssignment& assignment) const {
  if (distribute_) return Distribute(assignment);
  if (!fail_over_) return;
  std::map<std::uint32_t, std::uint32_t> priorities;  // by rank
  for (const xds::LocalityEndpoints& group : assignment.localities) priorities[group.priority] = 0;
  std::uint32_t next = 0;
  for (auto& [rank, priority] : priorities) priority = next++;
  for (xds::LocalityEndpoints& group : assignment.localities) group.priority = priorities.at(group.priority);
}

}  // namespace plait::control::translate
