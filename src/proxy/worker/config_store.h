#pragma once
// The run-time configuration of the process: takes resources (static or by xDS), compiles them, waits until what they
// need is there, and gives them to the workers. Main thread. semantics.md 2 (on demand) and 6 (nothing is used half).
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/xds/resource.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/cluster/negative_answers.h"
#include "proxy/worker/demands.h"
#include "proxy/worker/fetch_limits.h"
#include "proxy/worker/secrets.h"
#include "proxy/worker/sockets.h"
#include "proxy/worker/worker.h"

namespace plait::proxy::worker {

class ConfigStore final : public MainDemands {
 public:
  // Towards the xDS client; empty functions where there is none. `type`: a type URL.
  struct Subscriptions {
    std::function<void(std::string_view type, const std::string& name)> subscribe;
    std::function<void(std::string_view type, const std::string& name)> unsubscribe;
  };
  // `fetch_timeout`: how long listeners and clusters wait for what they need where its source does not say; 0: for
  // ever.
  ConfigStore(io::Loop& loop, const session::Compilation& into, Secrets& secrets, Sockets& sockets, std::string network,
              Duration fetch_timeout);
  ~ConfigStore() override;

  // What static resources name (routes, endpoints, secrets) is subscribed at once.
  void SetSubscriptions(Subscriptions subscriptions);
  // For hosts of DNS clusters; before the first cluster, outlives the store.
  void SetResolver(cluster::NameResolver* resolver) { clusters_.SetResolver(resolver); }
  // Told of a listener that was accepted, since its port seemed to come free, and then could not be had after all.
  using RefusedLate = std::function<void(const xds::Resource<xds::Listener>& refused, const Diagnostic& why)>;
  void OnRefusedLate(RefusedLate told) { refused_late_ = std::move(told); }
  // Before the first resource; they outlive the store.
  void SetWorkers(std::vector<Worker*> workers) { workers_ = std::move(workers); }

  // Errors: the resource is refused (NACK) and the one before it stays in force. `fixed`: static_resources.
  Outcome<> PutListener(const xds::Resource<xds::Listener>& resource, bool fixed);
  void RemoveListener(const std::string& name);
  // Nothing is served any more, also on listeners that come later; connections live on. For the rest of the process.
  // New connections to own sockets find them closed. Inherited ones stay with who gave them, so that without somebody
  // who accepts a client would wait for ever: its connection is reset, unless another process serves them.
  enum class Inherited : std::uint8_t { kReset, kLeave };
  void StopListeners(bool inbound_only, Inherited inherited);
  Outcome<> PutCluster(const xds::Resource<xds::Cluster>& resource, bool fixed);
  void RemoveCluster(const std::string& name);
  Outcome<> PutRoutes(const xds::Resource<xds::RouteConfiguration>& resource);
  void RemoveRoutes(const std::string& name);
  Outcome<> PutEndpoints(const xds::Resource<xds::ClusterLoadAssignment>& resource);
  void RemoveEndpoints(const std::string& name);
  Outcome<> PutL4Routes(const xds::Resource<xds::L4Routes>& resource);
  void RemoveL4Routes(const std::string& name);
  struct SecretOrigin {
    std::string version = {};  // of SDS; empty: the proxy's own
    bool fixed = false;        // static_resources
  };
  Outcome<> PutSecret(std::shared_ptr<const xds::Secret> secret, SecretOrigin origin);
  void RemoveSecret(const std::string& name);
  Outcome<> PutAddress(const xds::Resource<xds::Address>& resource);
  void RemoveAddress(const std::string& name);
  // How clusters come from the control plane: by name as they are used, all of them unasked, or never.
  enum class ClusterSource : std::uint8_t { kByName, kAll, kNone };
  void SetClusterSource(ClusterSource source) { cluster_source_ = source; }
  void NoteAllClusters() { has_all_clusters_ = cluster_source_ == ClusterSource::kAll; }  // kAll: they have come
  void SetControlPlaneAway(bool away) { destinations_.SetControlPlaneAway(away); }
  // `listeners`: that the batch will put. They may take ports from one another, in any order.
  void BeginBatch(std::vector<std::shared_ptr<const xds::Listener>> listeners = {});
  void EndBatch();

  io::Loop& loop() override { return loop_; }
  Pending Need(Kind kind, std::string name, Duration limit, std::move_only_function<void(bool)> answer) override;
  Pending NeedDestination(const io::IpAddress& ip, Duration limit, cluster::DestinationStore::OnFound found) override;

  // For admin and readiness.
  const cluster::ClusterStore& clusters() const noexcept { return clusters_; }
  const cluster::DestinationStore& destinations() const noexcept { return destinations_; }
  bool HasActive(const std::string& listener) const { return active_.contains(listener); }
  std::set<std::string> MissingSecrets() const;  // that listeners and clusters need
  // Not those that wait for a socket alone: the others serve meanwhile.
  bool warming() const noexcept;
  std::size_t active_listeners() const noexcept { return active_.size(); }
  std::size_t warming_listeners() const noexcept { return warming_.size(); }
  telemetry::Registry& registry() const noexcept { return into_.registry; }
  // The outer nullopt: it was never asked for, or has not come; null: there is none of that name.
  std::optional<std::shared_ptr<const route::RouteTable>> FindRoutes(const std::string& name) const;
  std::optional<std::shared_ptr<const xds::L4Routes>> FindL4Routes(const std::string& name) const;
  std::vector<listen::ListenerPtr> Listeners() const;
  struct Accepted {  // for config_dump, by name
    std::map<std::string, xds::Resource<xds::Listener>> listeners;
    std::map<std::string, xds::Resource<xds::Cluster>> clusters;
    std::map<std::string, xds::Resource<xds::RouteConfiguration>> routes;
    std::map<std::string, xds::Resource<xds::ClusterLoadAssignment>> endpoints;
    std::map<std::string, xds::Resource<xds::L4Routes>> l4_routes;
    std::map<std::string, xds::Resource<xds::Address>> addresses;
    struct SecretFacts {  // their content is in Secrets
      std::string version;
      WallTime updated{};
    };
    std::map<std::string, SecretFacts> secrets;
    std::set<std::string> fixed;  // "listener/<name>", "cluster/<name>", "secret/<name>": static ones
  };
  const Accepted& accepted() const noexcept { return accepted_; }

 private:
  struct Warming {
    listen::ListenerPtr listener;
    MonotonicTime begun{};
    FetchLimits limits;
    io::Timer limit;
    std::optional<xds::Resource<xds::Listener>> before;  // that serves meanwhile
    bool forced = false;                                 // the limit has passed
    std::optional<MonotonicTime> socket_by;              // for its sockets it waits no longer than that
    bool only_socket_missing = false;
  };
  struct WaitingCluster {  // for its secrets
    std::shared_ptr<const xds::Cluster> config;
    MonotonicTime begun{};
  };
  struct Closing {
    Sockets::Ticket ticket = Sockets::Ticket::kNone;
    bool refuse = false;                                       // connections to inherited ones are reset
    std::shared_ptr<const std::atomic<std::size_t>> watching;  // workers that may still watch its sockets
  };
  using Name = std::pair<std::string, std::string>;  // of a resource; its type URL before it
  struct NameHash {
    std::size_t operator()(const Name& name) const noexcept {
      return std::hash<std::string>()(name.first) ^ std::hash<std::string>()(name.second);
    }
  };
  struct Waiter;
  struct WaitHandle;
  using Waiters = std::multimap<std::string, Waiter*, std::less<>>;

  void Activate(const std::string& name, bool forced);
  bool HasNeeded(const listen::CompiledListener& listener) const;
  void LimitWarming(Warming& warming);
  void BeginWithoutNeeded(Warming& warming);
  Duration LongestOf(const std::vector<std::string>& missing, const FetchLimits::ByName& limits) const;
  std::vector<std::string> MissingRoutesOf(const listen::CompiledListener& listener) const;
  std::vector<std::string> Unsettled(const std::vector<std::string>& secrets) const;
  void AwaitSocket(const std::string& name, const Diagnostic& why);
  bool ExchangeSockets();
  struct Change {
    listen::ListenerPtr listener;
    std::vector<int> sockets;
  };
  void BeginServing(const std::vector<Change>& changes);
  enum class Missing : std::uint8_t { kAnything, kSocketsAlone };
  void TryWarming(Missing what = Missing::kAnything);
  Sockets::Forms FormsToCome(bool held_up) const;
  void EndWarming(const std::string& name);
  bool IsStopped(const xds::Listener& listener) const noexcept;
  Outcome<std::vector<int>> SocketsFor(const xds::Listener& listener, bool patient);
  void LetGoOfUnwanted(const std::string& name);
  void ReleaseLater(Sockets::Ticket ticket, bool refuse);
  void ReleaseUnwatched();
  void SubscribeSecrets(const std::vector<std::string>& names);
  void SubscribeOnce(std::string_view type, const std::string& name);
  void SubscribeNamed(std::string_view type, const std::vector<std::string>& names);
  bool IsAbsent(std::string_view type, const std::string& name) const;
  bool IsGivenUp(std::string_view type, const std::string& name) const;
  bool IsNobodyToAskFor(const std::string& cluster) const;
  void NoteAbsent(std::string_view type, const std::string& name);
  void NotePresent(std::string_view type, const std::string& name);
  void GiveUpAbsent();  // those that are too many or too old
  void GiveUp(const Name& key);
  void LookForUnneeded();
  void GiveUpUnneeded();
  std::set<Name> NeededNames() const;
  std::optional<MonotonicTime> WarmingSince(const std::string& cluster) const;
  void PutReadyClusters();
  void SyncEndpoints();
  void Answer(Waiters& waiters, const std::string& name, bool there);
  Pending Wait(Waiters& waiters, std::string name, Duration limit, std::move_only_function<void(bool)> answer);
  void EachWorker(const std::function<void(Worker&)>& call);

  io::Loop& loop_;
  const session::Compilation into_;
  Secrets& secrets_;
  Sockets& sockets_;
  const Duration fetch_timeout_;
  Subscriptions subscriptions_;
  std::vector<Worker*> workers_;
  cluster::ClusterStore clusters_;
  cluster::DestinationStore destinations_;
  Accepted accepted_;
  const record::ListenerManagerStats listener_counts_;
  const record::ClusterManagerStats cluster_counts_;
  std::map<std::string, listen::ListenerPtr> active_;
  std::map<std::string, std::unique_ptr<Warming>> warming_;
  std::map<std::string, std::shared_ptr<const xds::Listener>> coming_;  // of this batch, not yet put
  RefusedLate refused_late_;
  std::map<std::string, WaitingCluster> waiting_clusters_;
  io::Timer cluster_timer_{[this] { PutReadyClusters(); }};
  std::map<std::string, std::shared_ptr<const route::RouteTable>> routes_;  // null: certainly none
  std::map<std::string, std::shared_ptr<const xds::L4Routes>> l4_routes_;
  std::set<Name> subscribed_;
  std::set<Name> named_;  // by listeners: not given up while one is there
  // Routes and secrets that listeners and clusters named and none does any more, until they are given up.
  std::map<Name, MonotonicTime> unneeded_;
  io::Timer unneeded_timer_{[this] { GiveUpUnneeded(); }};
  ClusterSource cluster_source_ = ClusterSource::kByName;
  bool has_all_clusters_ = false;
  // Asked for, and certainly none. Those that came up by use are unsubscribed when their time is over.
  cluster::NegativeAnswers<Name, NameHash> absent_;
  std::set<Name> absent_named_;  // the others, once it is
  io::Timer absent_timer_{[this] { GiveUpAbsent(); }};
  std::set<std::string> endpoint_names_;
  std::set<std::string> refused_secrets_;  // of which nothing good has come yet: nobody waits for them
  Waiters waiting_for_routes_;
  Waiters waiting_for_l4_;
  enum class Stopped : std::uint8_t { kNone, kInbound, kAll };
  Stopped stopped_ = Stopped::kNone;
  std::deque<Closing> closing_;  // sockets that stay open until workers have let go of them
  io::Timer closing_timer_{[this] { ReleaseUnwatched(); }};
  io::Timer socket_timer_{[this] { TryWarming(); }};
};

}  // namespace plait::proxy::worker
