#include "proxy/worker/config_store.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/xds/type_url.h"
#include "proxy/worker/tls_checks.h"

namespace plait::proxy::worker {
namespace {
log::Component kLog("config");
namespace url = xds::type_url;
using record::ClusterManagerStat;
using record::ListenerManagerStat;
// How often a listener looks for the sockets that it waits for.
constexpr Duration kSocketCheck = std::chrono::milliseconds(20);
}  // namespace

ConfigStore::ConfigStore(io::Loop& loop, const session::Compilation& into, Secrets& secrets, Sockets& sockets,
                         std::string network, Duration fetch_timeout)
    : loop_(loop),
      into_(into),
      secrets_(secrets),
      sockets_(sockets),
      fetch_timeout_(fetch_timeout),
      clusters_(loop, into.registry, nullptr,
                [this](const cluster::ClusterUpdate& update) {
                  EachWorker([&](Worker& worker) { worker.ApplyClusters(update); });
                }),
      destinations_(loop, std::move(network),
                    {.subscribe = [this](const std::string& key) { SubscribeOnce(url::kAddress, key); },
                     .unsubscribe =
                         [this](const std::string& key) {
                           subscribed_.erase({std::string(url::kAddress), key});
                           if (subscriptions_.unsubscribe) subscriptions_.unsubscribe(url::kAddress, key);
                         },
                     .publish =
                         [this](const cluster::IndexUpdate& update) {
                           EachWorker([&](Worker& worker) { worker.ApplyIndex(update); });
                         }}),
      listener_counts_(into.registry),
      cluster_counts_(into.registry) {
  clusters_.SetFetchTimeout(fetch_timeout);
}

ConfigStore::~ConfigStore() = default;

void ConfigStore::EachWorker(const std::function<void(Worker&)>& call) {
  for (Worker* worker : workers_) call(*worker);
}

void ConfigStore::SetSubscriptions(Subscriptions subscriptions) {
  subscriptions_ = std::move(subscriptions);
  if (!subscriptions_.subscribe) return;
  for (const auto& [type, name] : subscribed_) subscriptions_.subscribe(type, name);
}

void ConfigStore::SubscribeOnce(std::string_view type, const std::string& name) {
  // Clusters and addresses are asked for when something leads there.
  const bool kept = type == url::kRoute || type == url::kEndpoint || type == url::kSecret;
  if (!subscriptions_.subscribe && !kept) return;
  if (subscribed_.emplace(type, name).second && subscriptions_.subscribe) subscriptions_.subscribe(type, name);
}

// Listeners.

Outcome<> ConfigStore::PutListener(const xds::Resource<xds::Listener>& resource, bool fixed) {
  coming_.erase(resource.value->name);
  if (!fixed && accepted_.fixed.contains("listener/" + resource.value->name))
    return Explain(Errc::kInvalidInput, "listener " + resource.value->name + " stands in static_resources",
                   "rename one of them");
  auto listener = listen::CompileListener(resource.value, into_);
  if (!listener) return std::unexpected(listener.error());
  if (auto done = CheckTls(*resource.value, fixed, secrets_); !done) return done;
  const std::string& name = resource.value->name;
  const auto sockets = SocketsFor(*resource.value, /*patient=*/true);
  if (!sockets && !sockets_.MayComeFree(*resource.value) &&
      !sockets_.IsLetGoBy(FormsToCome(/*held_up=*/false), *resource.value)) {
    LetGoOfUnwanted(name);
    listener_counts_.Add(ListenerManagerStat::kCreateFailure);
    return std::unexpected(sockets.error());
  }
  const auto known = accepted_.listeners.find(name);
  const bool is_new = known == accepted_.listeners.end();
  listener_counts_.Add(is_new ? ListenerManagerStat::kAdded : ListenerManagerStat::kModified);
  auto warming = std::make_unique<Warming>();
  if (const auto other = warming_.find(name); other != warming_.end()) {
    warming->before = std::move(other->second->before);
  } else if (!is_new) {
    warming->before = std::move(known->second);
  }
  accepted_.listeners.insert_or_assign(name, resource);
  if (fixed) accepted_.fixed.insert("listener/" + name);
  SubscribeNamed(url::kRoute, listen::NeededRoutes(**listener));
  SubscribeSecrets(listen::NeededSecrets(**listener));
  if (cluster_source_ == ClusterSource::kByName) SubscribeNamed(url::kCluster, listen::NamedClusters(**listener));
  warming->listener = std::move(*listener);
  warming->begun = loop_.Now();
  warming->limits = FetchLimitsOf(*resource.value);
  warming->limit.SetCallback([this, name] { Activate(name, true); });
  if (!sockets) warming->socket_by = loop_.Now() + sockets_.patience();
  warming_.insert_or_assign(name, std::move(warming));
  LetGoOfUnwanted(name);  // of one that was warming before it
  Activate(name, false);
  return {};
}

bool ConfigStore::HasNeeded(const listen::CompiledListener& listener) const {
  return MissingRoutesOf(listener).empty() && Unsettled(listen::NeededSecrets(listener)).empty();
}

std::vector<std::string> ConfigStore::MissingRoutesOf(const listen::CompiledListener& listener) const {
  std::vector<std::string> missing = listen::NeededRoutes(listener);
  std::erase_if(missing, [&](const std::string& routes) { return routes_.contains(routes); });
  return missing;
}

// 0: one of them is waited for without end.
Duration ConfigStore::LongestOf(const std::vector<std::string>& missing, const FetchLimits::ByName& limits) const {
  Duration longest{};
  for (const std::string& name : missing) {
    const auto own = limits.find(name);
    const Duration limit = own == limits.end() ? fetch_timeout_ : own->second;
    if (limit == Duration::zero()) return limit;
    longest = std::max(longest, limit);
  }
  return longest;
}

// Until when it waits for what it still lacks.
void ConfigStore::LimitWarming(Warming& warming) {
  const std::vector<std::string> routes = MissingRoutesOf(*warming.listener);
  const std::vector<std::string> secrets = Unsettled(listen::NeededSecrets(*warming.listener));
  const Duration for_routes = LongestOf(routes, warming.limits.routes);
  const Duration for_secrets = LongestOf(secrets, warming.limits.secrets);
  const bool without_end =
      (!routes.empty() && for_routes == Duration::zero()) || (!secrets.empty() && for_secrets == Duration::zero());
  if (without_end) return warming.limit.Cancel();
  warming.limit.Start(loop_.timers(), warming.begun + std::max(for_routes, for_secrets) - loop_.Now());
}

// Requests are answered at once (404), and do not wait each for what may never come; handshakes are refused.
void ConfigStore::BeginWithoutNeeded(Warming& warming) {
  warming.forced = true;
  kLog.Warn("listener " + warming.listener->name() + " begins before its routes and secrets have come");
  for (const std::string& name : MissingRoutesOf(*warming.listener)) {
    routes_.emplace(name, nullptr);
    EachWorker([&](Worker& worker) { worker.PutRoutes(name, nullptr); });
    Answer(waiting_for_routes_, name, true);
  }
}

void ConfigStore::Activate(const std::string& name, bool forced) {
  const auto found = warming_.find(name);
  if (found == warming_.end()) return;
  Warming& warming = *found->second;
  const listen::ListenerPtr listener = warming.listener;
  if (forced && !warming.forced) BeginWithoutNeeded(warming);
  if (!warming.forced && !HasNeeded(*listener)) return LimitWarming(warming);
  const bool patient = warming.socket_by && loop_.Now() < *warming.socket_by;
  const auto sockets = SocketsFor(*listener->config, patient);
  if (!sockets) return AwaitSocket(name, sockets.error());
  BeginServing({{listener, *sockets}});
}

// Its timer may be what runs now: it dies at the end of the round, and nothing else with it.
void ConfigStore::EndWarming(const std::string& name) {
  const auto found = warming_.find(name);
  found->second->listener.reset();
  loop_.DeleteLater(std::move(found->second));
  warming_.erase(found);
}

void ConfigStore::AwaitSocket(const std::string& name, const Diagnostic& why) {
  Warming& warming = *warming_.at(name);
  warming.only_socket_missing = true;
  if (ExchangeSockets()) return;
  if (!warming.socket_by) warming.socket_by = loop_.Now() + sockets_.patience();
  if (loop_.Now() < *warming.socket_by ||
      sockets_.IsLetGoBy(FormsToCome(/*held_up=*/true), *warming.listener->config)) {
    if (!socket_timer_.armed()) socket_timer_.Start(loop_.timers(), kSocketCheck);
    return;
  }
  kLog.Error(why.ToString());
  listener_counts_.Add(ListenerManagerStat::kCreateFailure);
  const auto accepted = accepted_.listeners.find(name);
  const xds::Resource<xds::Listener> refused = std::move(accepted->second);
  if (warming.before) {
    accepted->second = *std::move(warming.before);
  } else {
    accepted_.listeners.erase(accepted);
  }
  EndWarming(name);
  LetGoOfUnwanted(name);
  LookForUnneeded();
  if (refused_late_) refused_late_(refused, why);
}

bool ConfigStore::warming() const noexcept {
  return std::ranges::any_of(warming_, [](const auto& one) { return !one.second->only_socket_missing; });
}

void ConfigStore::TryWarming(Missing what) {
  std::vector<std::string> names;
  for (const auto& [name, warming] : warming_) {
    if (what == Missing::kAnything || warming->only_socket_missing) names.push_back(name);
  }
  for (const std::string& name : names) Activate(name, false);
}

void ConfigStore::RemoveListener(const std::string& name) {
  if (accepted_.fixed.contains("listener/" + name)) return;
  if (accepted_.listeners.erase(name) > 0) listener_counts_.Add(ListenerManagerStat::kRemoved);
  warming_.erase(name);
  if (active_.erase(name) > 0) EachWorker([&](Worker& worker) { worker.RemoveListener(name); });
  LetGoOfUnwanted(name);
  TryWarming(Missing::kSocketsAlone);
  LookForUnneeded();
}

std::vector<listen::ListenerPtr> ConfigStore::Listeners() const {
  std::vector<listen::ListenerPtr> all;
  for (const auto& [name, listener] : active_) all.push_back(listener);
  return all;
}

// Clusters and endpoints.

Outcome<> ConfigStore::PutCluster(const xds::Resource<xds::Cluster>& resource, bool fixed) {
  const xds::Cluster& cluster = *resource.value;
  if (!fixed && accepted_.fixed.contains("cluster/" + cluster.name))
    return Explain(Errc::kInvalidInput, "cluster " + cluster.name + " stands in static_resources",
                   "rename one of them");
  // The same again is no change: pools belong to the one that is there.
  if (const auto known = accepted_.clusters.find(cluster.name);
      known != accepted_.clusters.end() && !resource.bytes.empty() && known->second.bytes == resource.bytes &&
      !waiting_clusters_.contains(cluster.name)) {
    known->second.version = resource.version;
    known->second.updated = resource.updated;
    return {};
  }
  SubscribeSecrets(SecretsOf(cluster));
  if (auto done = CheckTls(cluster, secrets_); !done) return done;
  const bool added = accepted_.clusters.insert_or_assign(cluster.name, resource).second;
  cluster_counts_.Add(added ? ClusterManagerStat::kAdded : ClusterManagerStat::kModified);
  NotePresent(url::kCluster, cluster.name);
  if (fixed) accepted_.fixed.insert("cluster/" + cluster.name);
  // What changes while it waits has no new time.
  waiting_clusters_.try_emplace(cluster.name, WaitingCluster{.config = {}, .begun = loop_.Now()}).first->second.config =
      resource.value;
  PutReadyClusters();
  return {};
}

void ConfigStore::SubscribeSecrets(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!secrets_.Has(name)) SubscribeOnce(url::kSecret, name);
  }
}

std::vector<std::string> ConfigStore::Unsettled(const std::vector<std::string>& secrets) const {
  std::vector<std::string> unsettled;
  for (const std::string& name : secrets)
    if (!refused_secrets_.contains(name) && !secrets_.Has(name)) unsettled.push_back(name);
  return unsettled;
}

void ConfigStore::PutReadyClusters() {
  cluster_timer_.Cancel();
  std::optional<MonotonicTime> next;
  for (auto waiting = waiting_clusters_.begin(); waiting != waiting_clusters_.end();) {
    const auto& [config, begun] = waiting->second;
    if (const std::vector<std::string> missing = Unsettled(SecretsOf(*config)); !missing.empty()) {
      const Duration limit = LongestOf(missing, FetchLimitsOf(*config).secrets);
      const MonotonicTime until = begun + limit;
      if (limit == Duration::zero() || until > loop_.Now()) {
        if (limit != Duration::zero() && (!next || until < *next)) next = until;
        ++waiting;
        continue;
      }
      kLog.Warn("cluster " + config->name + " is there before its secret " + missing.front() + " has come");
    }
    if (auto put = clusters_.Put(config); !put) kLog.Error(put.error().ToString());
    waiting = waiting_clusters_.erase(waiting);
    LookForUnneeded();
  }
  if (next) cluster_timer_.Start(loop_.timers(), *next - loop_.Now());
  SyncEndpoints();
}

void ConfigStore::SyncEndpoints() {
  const std::vector<std::string> needed = clusters_.NeededEndpoints();
  const std::set<std::string> now(needed.begin(), needed.end());
  for (const std::string& name : now) {
    if (!endpoint_names_.contains(name)) SubscribeOnce(url::kEndpoint, name);
  }
  for (const std::string& name : endpoint_names_) {
    if (now.contains(name) || subscribed_.erase({std::string(url::kEndpoint), name}) == 0) continue;
    if (subscriptions_.unsubscribe) subscriptions_.unsubscribe(url::kEndpoint, name);
    clusters_.ForgetEndpoints(name);
    accepted_.endpoints.erase(name);
  }
  endpoint_names_ = now;
}

void ConfigStore::RemoveCluster(const std::string& name) {
  if (accepted_.fixed.contains("cluster/" + name)) return;
  if (accepted_.clusters.erase(name) > 0) cluster_counts_.Add(ClusterManagerStat::kRemoved);
  NoteAbsent(url::kCluster, name);
  waiting_clusters_.erase(name);
  clusters_.Remove(name);
  SyncEndpoints();
  LookForUnneeded();
}

Outcome<> ConfigStore::PutEndpoints(const xds::Resource<xds::ClusterLoadAssignment>& resource) {
  // What comes after its subscription ended would be old when it is asked for again.
  if (IsGivenUp(url::kEndpoint, resource.value->cluster_name)) return {};
  accepted_.endpoints.insert_or_assign(resource.value->cluster_name, resource);
  clusters_.PutEndpoints(resource.value);
  return {};
}

void ConfigStore::RemoveEndpoints(const std::string& name) {
  accepted_.endpoints.erase(name);
  clusters_.RemoveEndpoints(name);
}

// Routes.

Outcome<> ConfigStore::PutRoutes(const xds::Resource<xds::RouteConfiguration>& resource) {
  if (IsGivenUp(url::kRoute, resource.value->name)) return {};
  auto table = route::RouteTable::Compile(resource.value);
  if (!table) return std::unexpected(table.error());
  const std::string& name = resource.value->name;
  accepted_.routes.insert_or_assign(name, resource);
  NotePresent(url::kRoute, name);
  routes_.insert_or_assign(name, *table);
  EachWorker([&](Worker& worker) { worker.PutRoutes(name, *table); });
  Answer(waiting_for_routes_, name, true);
  TryWarming();
  return {};
}

void ConfigStore::RemoveRoutes(const std::string& name) {
  accepted_.routes.erase(name);
  if (IsGivenUp(url::kRoute, name)) return;
  NoteAbsent(url::kRoute, name);
  routes_.insert_or_assign(name, nullptr);
  EachWorker([&](Worker& worker) { worker.PutRoutes(name, nullptr); });
  Answer(waiting_for_routes_, name, true);
  TryWarming();
}

std::optional<std::shared_ptr<const route::RouteTable>> ConfigStore::FindRoutes(const std::string& name) const {
  const auto found = routes_.find(name);
  return found == routes_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::shared_ptr<const xds::L4Routes>> ConfigStore::FindL4Routes(const std::string& name) const {
  const auto found = l4_routes_.find(name);
  return found == l4_routes_.end() ? std::nullopt : std::optional(found->second);
}

Outcome<> ConfigStore::PutL4Routes(const xds::Resource<xds::L4Routes>& resource) {
  const std::string& name = resource.value->name;
  accepted_.l4_routes.insert_or_assign(name, resource);
  NotePresent(url::kL4Routes, name);
  l4_routes_.insert_or_assign(name, resource.value);
  EachWorker([&](Worker& worker) { worker.PutL4Routes(name, resource.value); });
  Answer(waiting_for_l4_, name, true);
  return {};
}

void ConfigStore::RemoveL4Routes(const std::string& name) {
  accepted_.l4_routes.erase(name);
  if (IsGivenUp(url::kL4Routes, name)) return;
  NoteAbsent(url::kL4Routes, name);
  l4_routes_.insert_or_assign(name, nullptr);
  EachWorker([&](Worker& worker) { worker.PutL4Routes(name, nullptr); });
  Answer(waiting_for_l4_, name, true);
}

// Secrets and addresses.

Outcome<> ConfigStore::PutSecret(std::shared_ptr<const xds::Secret> secret, SecretOrigin origin) {
  const bool by_sds = !origin.version.empty() && !IsOwnSecret(secret->name);
  if (by_sds && IsGivenUp(url::kSecret, secret->name)) return {};
  if (auto done = CheckSecret(secret, secrets_); !done) {
    if (!secrets_.Has(secret->name) && refused_secrets_.insert(secret->name).second) {
      PutReadyClusters();
      TryWarming();
    }
    return done;
  }
  refused_secrets_.erase(secret->name);
  if (origin.fixed) accepted_.fixed.insert("secret/" + secret->name);
  accepted_.secrets.insert_or_assign(secret->name,
                                     Accepted::SecretFacts{std::move(origin.version), loop_.clock().Wall()});
  const bool trust = std::holds_alternative<xds::ValidationContext>(secret->value);
  const std::string name = secret->name;
  secrets_.Put(std::move(secret));
  // Asked after Put: who makes a context meanwhile is known, or has the new secret.
  const bool upstream = secrets_.IsForUpstream(name);
  EachWorker([&](Worker& worker) { worker.FollowSecrets({.sessions = trust, .pools = upstream}); });
  PutReadyClusters();
  TryWarming();
  return {};
}

std::set<std::string> ConfigStore::MissingSecrets() const {
  std::set<std::string> out;
  const auto add = [&](const std::vector<std::string>& needed) {
    for (const std::string& name : needed)
      if (!secrets_.Has(name)) out.insert(name);
  };
  for (const auto& [name, listener] : active_) add(listen::NeededSecrets(*listener));
  for (const auto& [name, warming] : warming_) add(listen::NeededSecrets(*warming->listener));
  for (const auto& [name, cluster] : accepted_.clusters) add(SecretsOf(*cluster.value));
  return out;
}

void ConfigStore::RemoveSecret(const std::string& name) {
  accepted_.secrets.erase(name);
  secrets_.Remove(name);
}

Outcome<> ConfigStore::PutAddress(const xds::Resource<xds::Address>& resource) {
  accepted_.addresses.insert_or_assign(resource.name, resource);
  destinations_.Put(resource.name, resource.aliases, resource.value);
  return {};
}

void ConfigStore::RemoveAddress(const std::string& name) {
  accepted_.addresses.erase(name);
  destinations_.Removed(name);
}

void ConfigStore::BeginBatch(std::vector<std::shared_ptr<const xds::Listener>> listeners) {
  for (auto& listener : listeners) coming_.insert_or_assign(listener->name, std::move(listener));
  clusters_.BeginBatch();
  destinations_.BeginBatch();
}

void ConfigStore::EndBatch() {
  coming_.clear();
  clusters_.EndBatch();
  destinations_.EndBatch();
  LookForUnneeded();
}

}  // namespace plait::proxy::worker
