// How the sockets of listeners pass from one form of the configuration to the next: taken, exchanged, let go of.
#include <algorithm>
#include <utility>

#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {
namespace {
using record::ListenerManagerStat;
// How often sockets that are to be closed are looked at until no worker watches them.
constexpr Duration kReleaseCheck = std::chrono::milliseconds(20);
}  // namespace

void ConfigStore::BeginServing(const std::vector<Change>& changes) {
  // Listeners whose sockets change are told to the workers first without the new ones: else one worker would accept
  // from such a socket and give the connection to another one that still has what the listener was before.
  for (const Change& change : changes) {
    const auto before = active_.find(change.listener->name());
    if (before == active_.end()) continue;
    std::vector<int> kept = sockets_.Has(*before->second->config);
    std::erase_if(kept, [&](int socket) { return std::ranges::find(change.sockets, socket) == change.sockets.end(); });
    if (kept.size() == change.sockets.size()) continue;
    EachWorker([&](Worker& worker) { worker.PutListener(change.listener, kept); });
  }
  for (const Change& change : changes) {
    const std::string& name = change.listener->name();
    EndWarming(name);
    const bool created = active_.insert_or_assign(name, change.listener).second;
    if (created) listener_counts_.Add(ListenerManagerStat::kCreateSuccess, workers_.size());
    EachWorker([&](Worker& worker) { worker.PutListener(change.listener, change.sockets); });
    LetGoOfUnwanted(name);
  }
  TryWarming(Missing::kSocketsAlone);  // what was let go of, with what waits in it
  LookForUnneeded();
}

// The forms of listeners that are to follow those which serve. `held_up`: that wait for more than sockets.
Sockets::Forms ConfigStore::FormsToCome(bool held_up) const {
  Sockets::Forms forms;
  for (const auto& [name, listener] : coming_) forms.emplace(name, listener.get());
  for (const auto& [name, warming] : warming_) {
    if (!held_up || !warming->only_socket_missing) forms.emplace(name, warming->listener->config.get());
  }
  return forms;
}

// Listeners that wait for nothing but one another's sockets change at once.
bool ConfigStore::ExchangeSockets() {
  Sockets::Forms group;
  std::set<Port> ports;  // two of one port could be after the same socket
  for (const auto& [name, warming] : warming_) {
    if (!warming->only_socket_missing) continue;
    const xds::Listener& form = *warming->listener->config;
    if (std::ranges::any_of(form.addresses, [&](const auto& one) { return ports.contains(one.address.port); }))
      continue;
    for (const xds::ListenerAddress& one : form.addresses) ports.insert(one.address.port);
    group.emplace(name, &form);
  }
  const auto lacks = [&](const auto& one) { return !sockets_.HasAllOnce(group, *one.second); };
  while (std::erase_if(group, lacks) > 0) {
  }
  if (group.empty()) return false;
  for (const auto& [name, form] : group) ReleaseLater(sockets_.LetGo(name, {form}), /*refuse=*/false);
  std::vector<Change> changes;
  for (const auto& [name, form] : group)
    changes.push_back({warming_.at(name)->listener, SocketsFor(*form, /*patient=*/false).value()});
  BeginServing(changes);
  return true;
}

// What neither the listener that serves nor the one that is to serve next wants.
void ConfigStore::LetGoOfUnwanted(const std::string& name) {
  std::vector<const xds::Listener*> wanted;
  if (const auto found = active_.find(name); found != active_.end()) wanted.push_back(found->second->config.get());
  if (const auto found = warming_.find(name); found != warming_.end())
    wanted.push_back(found->second->listener->config.get());
  ReleaseLater(sockets_.LetGo(name, wanted), /*refuse=*/false);
}

// Workers unwatch in their next round; a socket that is closed earlier could be another one by then.
void ConfigStore::ReleaseLater(Sockets::Ticket ticket, bool refuse) {
  if (ticket == Sockets::Ticket::kNone) return;
  auto watching = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  EachWorker([&](Worker& worker) { worker.CountDown(watching); });
  closing_.push_back({ticket, refuse, std::move(watching)});
  if (!closing_timer_.armed()) closing_timer_.Start(loop_.timers(), kReleaseCheck);
}

void ConfigStore::ReleaseUnwatched() {
  for (; !closing_.empty() && closing_.front().watching->load(std::memory_order_acquire) == 0; closing_.pop_front()) {
    const Closing& closing = closing_.front();
    if (closing.refuse) {
      sockets_.ReleaseAndRefuse(closing.ticket, loop_);
    } else {
      sockets_.Release(closing.ticket);
    }
  }
  if (!closing_.empty()) closing_timer_.Start(loop_.timers(), kReleaseCheck);
}

void ConfigStore::StopListeners(bool inbound_only, Inherited inherited) {
  if (inherited == Inherited::kLeave) sockets_.Leave();
  if (stopped_ != Stopped::kAll) stopped_ = inbound_only ? Stopped::kInbound : Stopped::kAll;
  EachWorker([&](Worker& worker) { worker.StopListeners(inbound_only); });
  for (const auto& [name, listener] : active_) {
    if (!IsStopped(*listener->config)) continue;
    listener_counts_.Add(ListenerManagerStat::kStopped);
    ReleaseLater(sockets_.LetGo(name), /*refuse=*/true);
  }
}

bool ConfigStore::IsStopped(const xds::Listener& listener) const noexcept {
  return stopped_ == Stopped::kAll ||
         (stopped_ == Stopped::kInbound && listener.direction == xds::Listener::Direction::kInbound);
}

Outcome<std::vector<int>> ConfigStore::SocketsFor(const xds::Listener& listener, bool patient) {
  return IsStopped(listener) ? std::vector<int>() : sockets_.For(listener, patient);
}

}  // namespace plait::proxy::worker
