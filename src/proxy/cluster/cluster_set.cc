#include "proxy/cluster/cluster_set.h"

#include <algorithm>
#include <unordered_set>

#include "proxy/cluster/priorities.h"

namespace plait::proxy::cluster {
namespace {

// The TLS settings of a host made on demand: what the index says of its address stands in for an endpoint's metadata.
std::uint32_t OriginalTransport(const xds::Cluster& config, bool plaintext, std::string_view identity) {
  if (plaintext || identity.empty()) return ChooseTransport(config, {});
  return ChooseTransport(config, {{"tlsMode", "istio"}});
}

}  // namespace

// Hosts of an ORIGINAL_DST cluster, made when somebody goes there.
struct WorkerCluster::OriginalHosts {
  struct Entry {
    HostPtr host;
    MonotonicTime last_used{};
    bool used = true;  // since the last sweep
  };
  std::map<std::string, Entry> by_key;
};

WorkerCluster::WorkerCluster(ClusterPtr cluster, std::uint64_t seed) : cluster_(std::move(cluster)), random_(seed) {
  priorities_.resize(cluster_->priorities.size());
}
WorkerCluster::~WorkerCluster() = default;

std::vector<HostPtr> WorkerCluster::Replace(ClusterPtr next) {
  priorities_.clear();  // policies look at the old snapshot's hosts
  cluster_ = std::move(next);
  priorities_.resize(cluster_->priorities.size());
  std::vector<HostPtr> left;
  if (!original_) return left;
  const xds::Cluster& config = *cluster_->config;
  std::erase_if(original_->by_key, [&](const auto& one) {
    const Host::Facts& facts = one.second.host->facts();
    const bool stays = config.type == xds::Cluster::Type::kOriginalDst &&
                       facts.transport == OriginalTransport(config, facts.tls_disabled_by_index, facts.identity);
    if (!stays) left.push_back(one.second.host);
    return !stays;
  });
  return left;
}

const HostPtr& WorkerCluster::OriginalDst(const lb::PickContext& context) {
  static const HostPtr kNone;
  if (!context.original_dst) return kNone;
  io::SocketAddress address = *context.original_dst;
  const auto& config = *cluster_->config;
  if (config.original_dst && config.original_dst->port_override) address.port = {*config.original_dst->port_override};
  if (!original_) original_ = std::make_unique<OriginalHosts>();
  std::string key = address.ToString();
  key.append(context.original_dst_plaintext ? "|-|" : "|+|").append(context.original_dst_identity);
  auto at = original_->by_key.find(key);
  if (at == original_->by_key.end()) {
    std::vector<io::SocketAddress> other;
    if (context.original_dst_other)
      other.push_back({.ip = *context.original_dst_other, .port = address.port, .unix_path = {}});
    HostPtr host = std::make_shared<Host>(
        Host::Facts{
            .address = address,
            .additional_addresses = std::move(other),
            .identity = std::string(context.original_dst_identity),
            .transport = OriginalTransport(config, context.original_dst_plaintext, context.original_dst_identity),
            .tls_disabled_by_index = context.original_dst_plaintext},
        1, xds::HealthStatus::kHealthy);
    at = original_->by_key.emplace(std::move(key), OriginalHosts::Entry{.host = std::move(host)}).first;
  }
  at->second.used = true;
  return at->second.host;
}

const HostPtr* WorkerCluster::PickOnce(const lb::PickContext& context, bool& panic) {
  const std::vector<PriorityHosts>& priorities = cluster_->priorities;
  std::size_t chosen = 0;
  if (priorities.size() > 1) {
    // The hash decides the priority, too, so that a key stays where it is.
    std::uint64_t roll = context.hash ? *context.hash % 100 : random_.Below(100);
    while (chosen + 1 < priorities.size() && roll >= priorities[chosen].load) roll -= priorities[chosen++].load;
  }
  if (priorities.empty()) return nullptr;
  const PriorityHosts& priority = priorities[chosen];
  Priority& mine = priorities_[chosen];
  if (!mine.policy) {
    mine.hosts = priority.panic ? &priority.all : &priority.usable;
    mine.policy = lb::NewPolicy(cluster_->config->lb, *mine.hosts,
                                priority.panic ? priority.all_weights : priority.usable_weights, random_.Next());
  }
  panic = priority.panic;
  return mine.policy->Pick(context.hash);
}

Picked WorkerCluster::Pick(const lb::PickContext& context) {
  if (cluster_->config->type == xds::Cluster::Type::kOriginalDst) return {.host = OriginalDst(context)};
  if (cluster_->config->pin_original_dst && context.original_dst) {
    // A member is called at its own port, whichever of the service or of the pod was dialled.
    const auto& known = cluster_->by_address;
    auto at = known.find(*context.original_dst);
    if (at == known.end()) at = known.lower_bound({.ip = context.original_dst->ip, .port = Port{}, .unix_path = {}});
    if (at != known.end() && at->first.ip == context.original_dst->ip) return {.host = at->second};
  }
  Picked picked;
  const std::uint32_t attempts = context.tried.empty() ? 1 : std::max(context.attempts, 1U);
  for (std::uint32_t i = 0; i < attempts; ++i) {
    const HostPtr* host = PickOnce(context, picked.panic);
    if (host == nullptr) break;
    picked.host = *host;  // the last one stands when all attempts met tried hosts, as in Envoy
    if (std::find(context.tried.begin(), context.tried.end(), *host) == context.tried.end()) break;
  }
  if (picked.panic && picked.host) cluster_->state->Add(ClusterStat::kLbHealthyPanic);
  if (!picked.host) cluster_->state->Add(ClusterStat::kUpstreamCxNoneHealthy);
  return picked;
}

ClusterSet::ClusterSet(std::uint64_t seed) : random_(seed == 0 ? Random() : Random(seed)) {}
ClusterSet::~ClusterSet() = default;

void ClusterSet::Apply(const ClusterUpdate& update) {
  const auto tell = [&](const Cluster& was, const Cluster* now) {
    if (!on_host_removed_) return;
    std::unordered_set<const Host*> stays;
    for (const PriorityHosts& priority : now != nullptr ? now->priorities : std::vector<PriorityHosts>{}) {
      for (const HostPtr& host : priority.all) stays.insert(host.get());
    }
    for (const PriorityHosts& priority : was.priorities) {
      for (const HostPtr& host : priority.all) {
        if (!stays.contains(host.get())) on_host_removed_(was, host);
      }
    }
  };
  for (const ClusterPtr& cluster : update.changed) {
    std::unique_ptr<WorkerCluster>& mine = clusters_[cluster->name()];
    if (!mine) {
      mine = std::make_unique<WorkerCluster>(cluster, random_.Next());
      continue;
    }
    const ClusterPtr was = mine->cluster();
    const std::vector<HostPtr> left = mine->Replace(cluster);
    tell(*was, cluster.get());
    if (!on_host_removed_) continue;
    for (const HostPtr& host : left) on_host_removed_(*was, host);
  }
  for (const std::string& name : update.removed) {
    const auto at = clusters_.find(name);
    if (at == clusters_.end()) continue;
    const std::unique_ptr<WorkerCluster> gone = std::move(at->second);
    clusters_.erase(at);
    tell(*gone->cluster(), nullptr);
    if (!on_host_removed_ || !gone->original_) continue;
    for (const auto& [key, entry] : gone->original_->by_key) on_host_removed_(*gone->cluster(), entry.host);
  }
}

WorkerCluster* ClusterSet::Find(std::string_view name) {
  const auto at = clusters_.find(name);
  return at == clusters_.end() ? nullptr : at->second.get();
}

void ClusterSet::Sweep(MonotonicTime now) {
  for (const auto& [name, cluster] : clusters_) {
    if (!cluster->original_) continue;
    auto& hosts = cluster->original_->by_key;
    for (auto at = hosts.begin(); at != hosts.end();) {
      WorkerCluster::OriginalHosts::Entry& entry = at->second;
      const HostStats& stats = entry.host->stats();
      if (std::exchange(entry.used, false) || stats.rq_active > 0 || stats.cx_active > 0) entry.last_used = now;
      if (now - entry.last_used < cluster->cluster()->config->cleanup_interval) {
        ++at;
        continue;
      }
      if (on_host_removed_) on_host_removed_(*cluster->cluster(), entry.host);
      at = hosts.erase(at);
    }
  }
}

}  // namespace plait::proxy::cluster
