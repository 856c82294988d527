#pragma once
// The clusters of the process. ClusterStore (main thread) turns CDS and EDS into immutable Cluster snapshots and gives
// each change to the workers; ClusterSet (one a worker) finds clusters by name and picks hosts.
//
// A cluster becomes visible when its endpoints are there (EDS answered or STATIC) - semantics.md 6. Removing and adding
// again under the same name keeps hosts and statistics.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/base/strings.h"
#include "core/io/loop.h"
#include "core/xds/cluster.h"
#include "core/xds/endpoint.h"
#include "proxy/cluster/cluster.h"
#include "proxy/lb/lb_policy.h"

namespace plait::proxy::cluster {

// A change to apply in this order: changed clusters, then removals.
struct ClusterUpdate {
  std::vector<ClusterPtr> changed;
  std::vector<std::string> removed;
};

// Looks host names of STRICT_DNS and LOGICAL_DNS clusters up; completions in a later round, on the main loop.
class NameResolver {
 public:
  struct Answer {
    std::vector<io::IpAddress> addresses = {};  // none: the name is known to have none of the family
    std::optional<Duration> ttl = {};           // how long it holds; none: nobody said
  };
  // An error: nobody knows, what was known before holds.
  using OnAnswer = std::move_only_function<void(Result<Answer>)>;
  virtual ~NameResolver() = default;
  virtual Pending Resolve(const std::string& name, xds::DnsLookupFamily family, OnAnswer done) = 0;
};

class ClusterStore {
 public:
  // Called on the main loop for every change; hands it to the workers.
  using Publish = std::function<void(const ClusterUpdate&)>;
  // `resolver` may be null: DNS clusters stay without hosts then.
  ClusterStore(io::Loop& loop, telemetry::Registry& registry, NameResolver* resolver, Publish publish);
  ~ClusterStore();
  ClusterStore(const ClusterStore&) = delete;
  ClusterStore& operator=(const ClusterStore&) = delete;
  void SetResolver(NameResolver* resolver);  // before the first DNS cluster
  // How long a cluster waits for its endpoints where its EDS source does not say; then it has none. 0: for ever.
  void SetFetchTimeout(Duration timeout);

  // Adds or changes; errors leave the old one in force. Several changes between Begin and End are published at once.
  Outcome<> Put(std::shared_ptr<const xds::Cluster> config);
  void Remove(std::string_view name);
  // EDS by service name (cluster's eds_service_name, else its name). Unknown names are kept for a cluster to come.
  void PutEndpoints(std::shared_ptr<const xds::ClusterLoadAssignment> assignment);
  void RemoveEndpoints(std::string_view service_name);
  // Nobody follows them any more: a cluster that needs them later waits for them anew.
  void ForgetEndpoints(const std::string& service_name);
  void BeginBatch();
  void EndBatch();

  // A cluster that has its endpoints; null while it warms or is unknown.
  ClusterPtr Find(std::string_view name) const;
  std::optional<MonotonicTime> WarmingSince(std::string_view name) const;
  // Of all clusters: the newest, and of those that warm what is shown meanwhile.
  std::vector<std::shared_ptr<const xds::Cluster>> Configs() const;
  // Names of EDS resources that the present clusters need, sorted.
  std::vector<std::string> NeededEndpoints() const;
  std::vector<ClusterPtr> All() const;  // visible ones, sorted by name (admin)
  std::vector<std::shared_ptr<const xds::Cluster>> AllWarming() const;
  // Everything that is visible, as one update: for a worker that starts late.
  ClusterUpdate Snapshot() const;
  // Runs when `name` is visible, or with false when it was removed or `limit` passed. A later round. (semantics.md 6)
  [[nodiscard]] Pending WhenReady(std::string name, Duration limit, std::move_only_function<void(bool)> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a pick came to.
struct Picked {
  HostPtr host;  // null: no healthy upstream (UH)
  bool panic = false;
};

// One worker's view of one cluster: the snapshot and its balancing state. Valid until the next Apply that touches it;
// hold `cluster()` (shared_ptr) across rounds, not this.
class WorkerCluster {
 public:
  WorkerCluster(ClusterPtr cluster, std::uint64_t seed);
  ~WorkerCluster();
  const ClusterPtr& cluster() const noexcept { return cluster_; }
  Picked Pick(const lb::PickContext& context);

 private:
  friend class ClusterSet;
  const HostPtr* PickOnce(const lb::PickContext& context, bool& panic);
  const HostPtr& OriginalDst(const lb::PickContext& context);
  std::vector<HostPtr> Replace(ClusterPtr next);  // hosts made on demand that are not of the new one

  struct Priority {
    std::unique_ptr<lb::LbPolicy> policy;  // made at the first pick
    const lb::Hosts* hosts = nullptr;
  };
  ClusterPtr cluster_;
  Random random_;
  std::vector<Priority> priorities_;
  struct OriginalHosts;
  std::unique_ptr<OriginalHosts> original_;  // ORIGINAL_DST: hosts made on demand
};

class ClusterSet {
 public:
  explicit ClusterSet(std::uint64_t seed = 0);
  ~ClusterSet();
  void Apply(const ClusterUpdate& update);
  WorkerCluster* Find(std::string_view name);
  std::size_t size() const noexcept { return clusters_.size(); }
  // Called for each host that left a cluster, or whose cluster went: connection pools to it drain.
  void OnHostRemoved(std::function<void(const Cluster&, const HostPtr&)> call) { on_host_removed_ = std::move(call); }
  // Drops ORIGINAL_DST hosts that were not used for their cluster's cleanup_interval (and have no connection); call
  // about every second. Idle pooled connections count as use: pools close them after their own idle time.
  void Sweep(MonotonicTime now);

 private:
  Random random_;
  std::unordered_map<std::string, std::unique_ptr<WorkerCluster>, StringHash, std::equal_to<>> clusters_;
  std::function<void(const Cluster&, const HostPtr&)> on_host_removed_;
};

}  // namespace plait::proxy::cluster
