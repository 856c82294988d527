// What workers need on demand: subscriptions by name, and those who wait for the answer.
#include <algorithm>
#include <utility>

#include "core/xds/type_url.h"
#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {
namespace {
namespace url = xds::type_url;
// Connections of a listener that has gone may use its routes so long (WorkerOptions::drain_time is less).
constexpr Duration kUnneededLife = std::chrono::seconds(60);
}  // namespace

struct ConfigStore::Waiter {
  std::move_only_function<void(bool)> answer;
  io::Timer limit;
};

// Dropping it ends the wait.
struct ConfigStore::WaitHandle final : Pending::Operation {
  WaitHandle(Waiters& all, std::string key) : waiters(all), name(std::move(key)) {}
  ~WaitHandle() override {
    auto [first, last] = waiters.equal_range(name);
    for (auto i = first; i != last; ++i) {
      if (i->second == &waiter) {
        waiters.erase(i);
        return;
      }
    }
  }
  Waiters& waiters;
  std::string name;
  Waiter waiter;
};

Pending ConfigStore::Wait(Waiters& waiters, std::string name, Duration limit,
                          std::move_only_function<void(bool)> answer) {
  auto handle = std::make_unique<WaitHandle>(waiters, std::move(name));
  Waiter& waiter = handle->waiter;
  waiter.answer = std::move(answer);
  waiter.limit.SetCallback([&waiter] {
    if (auto call = std::exchange(waiter.answer, nullptr)) call(false);
  });
  waiter.limit.Start(loop_.timers(), limit);
  waiters.emplace(handle->name, &waiter);
  return Pending(std::move(handle));
}

void ConfigStore::Answer(Waiters& waiters, const std::string& name, bool there) {
  std::vector<std::move_only_function<void(bool)>> calls;
  auto [first, last] = waiters.equal_range(name);
  for (auto i = first; i != last; ++i) {
    i->second->limit.Cancel();
    if (i->second->answer) calls.push_back(std::exchange(i->second->answer, nullptr));
  }
  waiters.erase(first, last);
  for (auto& call : calls) call(there);
}

void ConfigStore::SubscribeNamed(std::string_view type, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    named_.emplace(type, name);
    SubscribeOnce(type, name);
  }
}

bool ConfigStore::IsAbsent(std::string_view type, const std::string& name) const {
  const Name key(type, name);
  return absent_.Contains(key) || absent_named_.contains(key);
}

// What is heard of it was said before the control plane heard so.
bool ConfigStore::IsGivenUp(std::string_view type, const std::string& name) const {
  return subscriptions_.subscribe && !subscribed_.contains({std::string(type), name});
}

bool ConfigStore::IsNobodyToAskFor(const std::string& cluster) const {
  if (WarmingSince(cluster)) return false;
  return !subscriptions_.subscribe || cluster_source_ == ClusterSource::kNone || has_all_clusters_ ||
         IsAbsent(url::kCluster, cluster);
}

void ConfigStore::NoteAbsent(std::string_view type, const std::string& name) {
  if (IsGivenUp(type, name)) return;
  const Name key(type, name);
  absent_.Erase(key);
  absent_.Add(key, loop_.Now());
  GiveUpAbsent();
}

void ConfigStore::NotePresent(std::string_view type, const std::string& name) {
  const Name key(type, name);
  absent_.Erase(key);
  absent_named_.erase(key);
}

void ConfigStore::GiveUpAbsent() {
  while (const auto key = absent_.TakeOver(loop_.Now())) GiveUp(*key);
  if (!absent_.empty() && !absent_timer_.armed())
    absent_timer_.Start(loop_.timers(), absent_.all().front().until - loop_.Now());
}

void ConfigStore::GiveUp(const Name& key) {
  if (named_.contains(key)) {
    absent_named_.insert(key);
    return;
  }
  const auto& [type, name] = key;
  if (subscribed_.erase(key) != 0 && subscriptions_.unsubscribe) subscriptions_.unsubscribe(type, name);
  if (type == url::kSecret) {
    if (accepted_.fixed.contains("secret/" + name)) return;
    refused_secrets_.erase(name);
    RemoveSecret(name);
  } else if (type == url::kRoute) {
    accepted_.routes.erase(name);
    routes_.erase(name);
    EachWorker([&](Worker& worker) { worker.ForgetRoutes(name); });
  } else if (type == url::kL4Routes) {
    l4_routes_.erase(name);
    EachWorker([&](Worker& worker) { worker.ForgetL4Routes(name); });
  }
}

void ConfigStore::LookForUnneeded() { unneeded_timer_.Start(loop_.timers(), Duration::zero()); }

std::set<ConfigStore::Name> ConfigStore::NeededNames() const {
  std::set<Name> needed;
  const auto add = [&](std::string_view type, std::vector<std::string> names) {
    for (std::string& name : names) needed.emplace(type, std::move(name));
  };
  const auto add_listener = [&](const listen::CompiledListener& listener) {
    add(url::kRoute, listen::NeededRoutes(listener));
    add(url::kSecret, listen::NeededSecrets(listener));
  };
  for (const auto& [name, listener] : active_) add_listener(*listener);
  for (const auto& [name, warming] : warming_) add_listener(*warming->listener);
  for (const auto& [name, waiting] : waiting_clusters_) add(url::kSecret, SecretsOf(*waiting.config));
  for (const auto& config : clusters_.Configs()) add(url::kSecret, SecretsOf(*config));
  return needed;
}

// What listeners and clusters that have gone named, and those that are there do not.
void ConfigStore::GiveUpUnneeded() {
  std::vector<Name> known;
  for (const std::string_view type : {url::kRoute, url::kSecret}) {
    for (auto at = subscribed_.lower_bound({std::string(type), {}}); at != subscribed_.end() && at->first == type; ++at)
      if (type == url::kRoute ? named_.contains(*at) : !IsOwnSecret(at->second)) known.push_back(*at);
  }
  if (known.empty()) return;  // as with plaitd, whose clients may have many clusters
  const std::set<Name> needed = NeededNames();
  std::optional<MonotonicTime> next;
  for (const Name& key : known) {
    if (needed.contains(key)) {
      unneeded_.erase(key);
      continue;
    }
    const MonotonicTime until = unneeded_.emplace(key, loop_.Now() + kUnneededLife).first->second;
    if (until > loop_.Now()) {
      if (!next || until < *next) next = until;
      continue;
    }
    unneeded_.erase(key);
    named_.erase(key);
    NotePresent(key.first, key.second);  // not among the absent any more
    GiveUp(key);
  }
  if (next) unneeded_timer_.Start(loop_.timers(), *next - loop_.Now());
}

std::optional<MonotonicTime> ConfigStore::WarmingSince(const std::string& cluster) const {
  const auto waiting = waiting_clusters_.find(cluster);
  return waiting != waiting_clusters_.end() ? std::optional(waiting->second.begun) : clusters_.WarmingSince(cluster);
}

Pending ConfigStore::Need(Kind kind, std::string name, Duration limit, std::move_only_function<void(bool)> answer) {
  const auto at_once = [&](bool there) {
    return loop_.After(Duration(0), [there, answer = std::move(answer)]() mutable { answer(there); });
  };
  const bool dynamic = static_cast<bool>(subscriptions_.subscribe);
  switch (kind) {
    case Kind::kCluster:
      if (clusters_.Find(name) != nullptr) return at_once(true);
      if (IsNobodyToAskFor(name)) return at_once(false);
      if (cluster_source_ == ClusterSource::kByName) SubscribeOnce(url::kCluster, name);
      // Of one that warms without end not each request waits as long.
      if (const auto since = WarmingSince(name)) limit = std::max(*since + limit - loop_.Now(), Duration::zero());
      return clusters_.WhenReady(std::move(name), limit, std::move(answer));
    case Kind::kRoutes:
      if (routes_.contains(name)) return at_once(true);
      if (!dynamic) return at_once(false);
      SubscribeOnce(url::kRoute, name);
      return Wait(waiting_for_routes_, std::move(name), limit, std::move(answer));
    case Kind::kL4Routes:
      if (l4_routes_.contains(name)) return at_once(true);
      if (!dynamic) return at_once(false);
      SubscribeOnce(url::kL4Routes, name);
      return Wait(waiting_for_l4_, std::move(name), limit, std::move(answer));
  }
  return {};
}

Pending ConfigStore::NeedDestination(const io::IpAddress& ip, Duration limit,
                                     cluster::DestinationStore::OnFound found) {
  return destinations_.Lookup(ip, limit, std::move(found));
}

}  // namespace plait::proxy::worker
