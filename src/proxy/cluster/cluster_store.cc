#include <algorithm>
#include <list>

#include "proxy/cluster/cluster_set.h"
#include "proxy/cluster/dns_names.h"
#include "proxy/cluster/outlier.h"
#include "proxy/cluster/priorities.h"

namespace plait::proxy::cluster {

struct ClusterStore::State {
  // A configured cluster. Never moves: timers and callbacks hold its address.
  struct Entry {
    std::shared_ptr<const xds::Cluster> config;
    std::shared_ptr<ClusterState> state;
    HostTable hosts;
    BalanceRules rules;               // of the assignment that the hosts come from
    std::unique_ptr<DnsNames> names;  // DNS clusters
    ClusterPtr visible;               // null: warming
    MonotonicTime begun{};
    io::Timer fetch_limit;  // EDS: of `config`, until it is what is visible
  };
  // Somebody who waits for a cluster; told in a later round.
  struct Waiter final {
    std::string name;
    std::move_only_function<void(bool)> done;
    Pending timer;
  };
  struct WaitOperation final : Pending::Operation {
    WaitOperation(State& of, std::list<Waiter>::iterator at, std::weak_ptr<int> still)
        : state(of), place(at), alive(std::move(still)) {}
    ~WaitOperation() override {
      if (!alive.expired()) state.waiters.erase(place);
    }
    State& state;
    std::list<Waiter>::iterator place;
    std::weak_ptr<int> alive;
  };

  State(io::Loop& on, telemetry::Registry& stats, NameResolver* names, Publish to)
      : loop(on), registry(stats), resolver(names), publish(std::move(to)) {}

  void Rebuild(Entry& entry);
  void AwaitEndpoints(Entry& entry);
  void ShowAssignment(Entry& entry, const xds::ClusterLoadAssignment& assignment);
  void Show(Entry& entry, std::vector<PriorityHosts> priorities);
  void Rebalance(const std::string& name);
  void Resolve(Entry& entry);
  xds::ClusterLoadAssignment WithAddresses(const Entry& entry) const;
  void Changed(const std::string& name, bool removed);
  void Flush();
  void Tell(const std::string& name, bool ready);
  const std::string& ServiceOf(const xds::Cluster& config) const {
    return config.eds_service_name.empty() ? config.name : config.eds_service_name;
  }

  io::Loop& loop;
  telemetry::Registry& registry;
  NameResolver* resolver;
  Duration fetch_timeout{};
  Random random;
  Publish publish;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries;
  std::map<std::string, std::shared_ptr<const xds::ClusterLoadAssignment>, std::less<>> endpoints;
  std::map<std::string, std::weak_ptr<ClusterState>, std::less<>>
      gone;                             // state of removed clusters that is still in use
  std::map<std::string, bool> changes;  // name -> removed
  int batch = 0;
  std::list<Waiter> waiters;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
};

ClusterStore::ClusterStore(io::Loop& loop, telemetry::Registry& registry, NameResolver* resolver, Publish publish)
    : state_(std::make_unique<State>(loop, registry, resolver, std::move(publish))) {}
ClusterStore::~ClusterStore() {
  ++state_->batch;  // nothing is published any more
  for (const auto& [name, entry] : state_->entries) {
    if (entry->state->outlier) entry->state->outlier->Configure(std::nullopt);  // workers may hold it longer
  }
}

void ClusterStore::State::Changed(const std::string& name, bool removed) {
  changes[name] = removed;
  if (batch == 0) Flush();
}

void ClusterStore::State::Flush() {
  ClusterUpdate update;
  for (const auto& [name, removed] : std::exchange(changes, {})) {
    const auto at = entries.find(name);
    if (removed || at == entries.end()) {
      update.removed.push_back(name);
    } else if (at->second->visible) {
      update.changed.push_back(at->second->visible);
    }
  }
  if (update.changed.empty() && update.removed.empty()) return;
  publish(update);
  for (const ClusterPtr& cluster : update.changed) Tell(cluster->name(), true);
  for (const std::string& name : update.removed) Tell(name, false);
}

void ClusterStore::State::Tell(const std::string& name, bool ready) {
  for (auto at = waiters.begin(); at != waiters.end(); ++at) {
    if (at->name != name || !at->done) continue;
    at->timer = loop.After(Duration::zero(), [at, ready] { std::exchange(at->done, nullptr)(ready); });
  }
}

void ClusterStore::State::Show(Entry& entry, std::vector<PriorityHosts> priorities) {
  const xds::Cluster& config = *entry.config;
  Balance(priorities, entry.rules);
  auto cluster = std::make_shared<Cluster>();
  cluster->config = entry.config;
  cluster->state = entry.state;
  std::size_t total = 0;
  std::size_t usable = 0;
  std::size_t degraded = 0;
  for (const PriorityHosts& priority : priorities) {
    for (const auto* hosts : {&priority.all, &priority.idle}) {
      total += hosts->size();
      for (const HostPtr& host : *hosts) {
        if (host->usable()) ++(host->degraded() ? degraded : usable);
      }
    }
    if (!config.pin_original_dst) continue;
    for (const HostPtr& host : priority.all) {
      cluster->by_address.emplace(host->address(), host);
      for (const io::SocketAddress& other : host->facts().additional_addresses)
        cluster->by_address.emplace(other, host);
    }
  }
  entry.state->SetGauge(MembershipStat::kTotal, total);
  entry.state->SetGauge(MembershipStat::kHealthy, usable);
  entry.state->SetGauge(MembershipStat::kDegraded, degraded);
  cluster->priorities = std::move(priorities);
  entry.visible = std::move(cluster);
  Changed(config.name, false);
}

// A new snapshot from configuration and endpoints; nothing when endpoints are not there yet.
void ClusterStore::State::Rebuild(Entry& entry) {
  using Type = xds::Cluster::Type;
  const xds::Cluster& config = *entry.config;
  xds::ClusterLoadAssignment made;
  const xds::ClusterLoadAssignment* assignment = &made;
  switch (config.type) {
    case Type::kStatic: assignment = &config.load_assignment; break;
    case Type::kOriginalDst: break;
    case Type::kEds: {
      const auto at = endpoints.find(ServiceOf(config));
      if (at == endpoints.end()) return AwaitEndpoints(entry);
      assignment = at->second.get();
      break;
    }
    case Type::kStrictDns:
    case Type::kLogicalDns: made = WithAddresses(entry); break;
  }
  ShowAssignment(entry, *assignment);
}

void ClusterStore::State::ShowAssignment(Entry& entry, const xds::ClusterLoadAssignment& assignment) {
  entry.fetch_limit.Cancel();
  entry.rules = {.overprovisioning = assignment.overprovisioning_factor,
                 .weighted_priority_health = assignment.weighted_priority_health,
                 .panic_threshold = entry.config->lb.healthy_panic_threshold};
  const HostTable before = entry.hosts;
  std::vector<PriorityHosts> priorities = BuildPriorities(*entry.config, assignment, entry.hosts);
  if (entry.names == nullptr) entry.state->Add(MembershipStat::kUpdateSuccess);
  if (entry.hosts != before) entry.state->Add(MembershipStat::kChange);
  if (entry.state->outlier) entry.state->outlier->SetHosts({entry.hosts.begin(), entry.hosts.end()});
  Show(entry, std::move(priorities));
}

// As in Envoy: without an answer it has no hosts, and requests are answered (UH) and do not wait.
void ClusterStore::State::AwaitEndpoints(Entry& entry) {
  const Duration limit = entry.config->eds_fetch_timeout.value_or(fetch_timeout);
  if (limit == Duration::zero() || entry.fetch_limit.armed()) return;
  entry.fetch_limit.SetCallback([this, &entry] {
    const xds::ClusterLoadAssignment none;
    ShowAssignment(entry, none);
  });
  entry.fetch_limit.Start(loop.timers(), limit);
}

void ClusterStore::State::Rebalance(const std::string& name) {
  const auto at = entries.find(name);
  if (at != entries.end() && at->second->visible) Show(*at->second, at->second->visible->priorities);
}

xds::ClusterLoadAssignment ClusterStore::State::WithAddresses(const Entry& entry) const {
  xds::ClusterLoadAssignment assignment = entry.config->load_assignment;
  const bool one = entry.config->type == xds::Cluster::Type::kLogicalDns;
  for (xds::LocalityEndpoints& group : assignment.localities) {
    std::vector<xds::Endpoint> resolved;
    for (const xds::Endpoint& endpoint : group.endpoints) {
      if (endpoint.dns_name.empty()) {
        resolved.push_back(endpoint);
        continue;
      }
      const DnsNames::Addresses* addresses = entry.names ? entry.names->Find(endpoint.dns_name) : nullptr;
      if (addresses == nullptr) continue;
      for (const io::IpAddress& ip : *addresses) {
        xds::Endpoint copy = endpoint;
        copy.address = {.ip = ip, .port = {endpoint.dns_port}};
        copy.hostname = endpoint.hostname.empty() ? endpoint.dns_name : endpoint.hostname;
        copy.dns_name.clear();
        resolved.push_back(std::move(copy));
        if (one) break;
      }
    }
    group.endpoints = std::move(resolved);
  }
  return assignment;
}

// The cluster shows when every name was answered once; until then what was shown before holds.
void ClusterStore::State::Resolve(Entry& entry) {
  const std::unique_ptr<DnsNames> before = std::move(entry.names);
  if (resolver != nullptr) {
    entry.names = std::make_unique<DnsNames>(
        loop, *resolver, random,
        DnsNames::Options{.config = entry.config, .state = entry.state, .changed = [this, &entry] { Rebuild(entry); }},
        before.get());
  }
  if (entry.names == nullptr || entry.names->empty()) Rebuild(entry);
}

Outcome<> ClusterStore::Put(std::shared_ptr<const xds::Cluster> config) {
  using Type = xds::Cluster::Type;
  const std::string name = config->name;
  if (name.empty()) return Explain(Errc::kInvalidInput, "a cluster without a name");
  std::unique_ptr<State::Entry>& entry = state_->entries[name];
  if (!entry) {
    entry = std::make_unique<State::Entry>();
    entry->begun = state_->loop.Now();
    if (const auto at = state_->gone.find(name); at != state_->gone.end()) {
      entry->state = at->second.lock();
      state_->gone.erase(at);
    }
    if (!entry->state) {
      entry->state = std::make_shared<ClusterState>(state_->registry,
                                                    config->alt_stat_name.empty() ? name : config->alt_stat_name);
    }
  }
  entry->config = std::move(config);
  ClusterState& shared = *entry->state;
  shared.Configure(*entry->config);
  if (entry->config->outlier_detection && !shared.outlier) {
    shared.outlier = std::make_shared<OutlierDetector>(state_->loop, shared,
                                                       [state = state_.get(), name] { state->Rebalance(name); });
  }
  if (shared.outlier) shared.outlier->Configure(entry->config->outlier_detection);
  const Type type = entry->config->type;
  if (type == Type::kStrictDns || type == Type::kLogicalDns) {
    state_->Resolve(*entry);
  } else {
    entry->names.reset();
    state_->Rebuild(*entry);
  }
  return {};
}

void ClusterStore::SetFetchTimeout(Duration timeout) { state_->fetch_timeout = timeout; }
void ClusterStore::SetResolver(NameResolver* resolver) { state_->resolver = resolver; }

void ClusterStore::Remove(std::string_view name) {
  const auto at = state_->entries.find(name);
  // Nobody needs to wait for what does not exist.
  if (at == state_->entries.end()) return state_->Tell(std::string(name), false);
  const std::string removed = at->first;
  if (at->second->state->outlier) at->second->state->outlier->Configure(std::nullopt);
  std::erase_if(state_->gone, [](const auto& one) { return one.second.expired(); });
  state_->gone[removed] = at->second->state;
  state_->entries.erase(at);
  state_->Changed(removed, true);
}

void ClusterStore::PutEndpoints(std::shared_ptr<const xds::ClusterLoadAssignment> assignment) {
  const std::string name = assignment->cluster_name;
  state_->endpoints[name] = std::move(assignment);
  for (const auto& [cluster, entry] : state_->entries) {
    if (entry->config->type == xds::Cluster::Type::kEds && state_->ServiceOf(*entry->config) == name)
      state_->Rebuild(*entry);
  }
}

void ClusterStore::RemoveEndpoints(std::string_view service_name) {
  // "There is none": the cluster exists, without hosts (Envoy keeps it so, too), and answers UH.
  auto none = std::make_shared<xds::ClusterLoadAssignment>();
  none->cluster_name = std::string(service_name);
  PutEndpoints(std::move(none));
  const bool used = std::any_of(state_->entries.begin(), state_->entries.end(), [&](const auto& one) {
    return one.second->config->type == xds::Cluster::Type::kEds &&
           state_->ServiceOf(*one.second->config) == service_name;
  });
  if (!used) state_->endpoints.erase(state_->endpoints.find(service_name));
}

void ClusterStore::ForgetEndpoints(const std::string& service_name) { state_->endpoints.erase(service_name); }

void ClusterStore::BeginBatch() { ++state_->batch; }
void ClusterStore::EndBatch() {
  if (--state_->batch == 0) state_->Flush();
}

ClusterPtr ClusterStore::Find(std::string_view name) const {
  const auto at = state_->entries.find(name);
  return at == state_->entries.end() ? nullptr : at->second->visible;
}

std::optional<MonotonicTime> ClusterStore::WarmingSince(std::string_view name) const {
  const auto at = state_->entries.find(name);
  if (at == state_->entries.end() || at->second->visible) return std::nullopt;
  return at->second->begun;
}

std::vector<std::shared_ptr<const xds::Cluster>> ClusterStore::Configs() const {
  std::vector<std::shared_ptr<const xds::Cluster>> all;
  for (const auto& [name, entry] : state_->entries) {
    all.push_back(entry->config);
    if (entry->visible && entry->visible->config != entry->config) all.push_back(entry->visible->config);
  }
  return all;
}

std::vector<std::string> ClusterStore::NeededEndpoints() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : state_->entries) {
    if (entry->config->type == xds::Cluster::Type::kEds) names.push_back(state_->ServiceOf(*entry->config));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<ClusterPtr> ClusterStore::All() const {
  std::vector<ClusterPtr> all;
  for (const auto& [name, entry] : state_->entries) {
    if (entry->visible) all.push_back(entry->visible);
  }
  return all;
}

std::vector<std::shared_ptr<const xds::Cluster>> ClusterStore::AllWarming() const {
  std::vector<std::shared_ptr<const xds::Cluster>> all;
  for (const auto& [name, entry] : state_->entries) {
    if (!entry->visible) all.push_back(entry->config);
  }
  return all;
}

ClusterUpdate ClusterStore::Snapshot() const { return {.changed = All(), .removed = {}}; }

Pending ClusterStore::WhenReady(std::string name, Duration limit, std::move_only_function<void(bool)> done) {
  const bool ready = Find(name) != nullptr;
  const auto at =
      state_->waiters.insert(state_->waiters.end(), {.name = std::move(name), .done = std::move(done), .timer = {}});
  at->timer =
      state_->loop.After(ready ? Duration::zero() : limit, [at, ready] { std::exchange(at->done, nullptr)(ready); });
  return Pending(std::make_unique<State::WaitOperation>(*state_, at, state_->alive));
}

}  // namespace plait::proxy::cluster
