#include "proxy/cluster/connection_limit.h"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace plait::proxy::cluster {

struct ConnectionLimit::Member {
  io::Loop& loop;
  std::shared_ptr<Place> place;
  bool exclusive = true;
  ConnectionShare* share;         // on its loop's thread; null once it is gone
  std::atomic<bool> idle{false};  // written on its loop's thread
  // With the limit's mutex.
  bool queued = false;
  bool without_any = false;
  bool granted = false;  // on the way to the pool
};

struct ConnectionLimit::Queue {
  struct KnownPlace {
    std::shared_ptr<Place> place = std::make_shared<Place>(0);
    std::size_t members = 0;
  };
  std::mutex mutex;
  std::map<std::string, KnownPlace> places;
  std::vector<MemberPtr> members;
  std::list<MemberPtr> waiting;
  std::size_t being_given = 0;  // connections that close for somebody who waits
};

ConnectionLimit::~ConnectionLimit() { const std::unique_ptr<Queue> gone(queue_.load()); }

ConnectionLimit::Queue& ConnectionLimit::MakeQueue() {
  if (Queue* there = queue_.load()) return *there;
  auto made = std::make_unique<Queue>();
  Queue* there = nullptr;
  return queue_.compare_exchange_strong(there, made.get()) ? *made.release() : *there;
}

bool ConnectionLimit::TakeFree() noexcept {
  std::uint32_t used = used_.load();
  while (used < most_.load()) {
    if (used_.compare_exchange_weak(used, used + 1)) return true;
  }
  return false;
}

void ConnectionLimit::Return() noexcept {
  used_.fetch_sub(1);
  Wake();
}

void ConnectionLimit::SetMost(std::uint32_t most) noexcept {
  most_.store(most);
  Wake();
}

void ConnectionLimit::Wake() noexcept {
  if (!waited_for()) return;
  Queue& queue = *queue_.load();
  const std::lock_guard lock(queue.mutex);
  Serve(queue);
}

void ConnectionLimit::Serve(Queue& queue) {
  for (const bool without_any : {true, false}) {
    std::erase_if(queue.waiting,
                  [&](const MemberPtr& member) { return member->without_any == without_any && Grant(member); });
  }
  NoteQueue(queue);
}

bool ConnectionLimit::Grant(const MemberPtr& member) {
  // In the place first: who finds the limit reached meanwhile must not find the place empty.
  if (member->exclusive) member->place->fetch_add(1);
  if (!TakeFree()) {
    if (member->exclusive) member->place->fetch_sub(1);
    std::uint32_t none = 0;
    if (!member->without_any) return false;
    if (member->exclusive && !member->place->compare_exchange_strong(none, 1)) return false;
    used_.fetch_add(1);
  }
  member->queued = false;
  member->granted = true;
  // The loop lives: its pools end before it does, and with the mutex.
  member->loop.Post([granted = member] {
    if (granted->share != nullptr) granted->share->OnGranted();
  });
  return true;
}

void ConnectionLimit::AskWhereOneIdles(const Queue& queue) const {
  if (idle_.load() == 0 || queue.waiting.size() <= queue.being_given) return;
  for (const MemberPtr& member : queue.members) {
    if (!member->idle.load()) continue;
    member->loop.Post([member] {
      if (member->share != nullptr) member->share->options_.on_asked();
    });
  }
}

void ConnectionLimit::NoteQueue(const Queue& queue) noexcept {
  queued_.store(static_cast<std::uint32_t>(queue.waiting.size()));
  without_any_.store(static_cast<std::uint32_t>(std::count_if(queue.waiting.begin(), queue.waiting.end(),
                                                              [](const auto& member) { return member->without_any; })));
}

ConnectionShare::ConnectionShare(ConnectionLimit& limit, io::Loop& loop, Options options)
    : limit_(limit), options_(std::move(options)) {
  if (limit_.most() == UINT32_MAX) return;
  queue_ = &limit_.MakeQueue();
  const std::lock_guard lock(queue_->mutex);
  ConnectionLimit::Queue::KnownPlace& known = queue_->places[options_.place];
  ++known.members;
  member_ = queue_->members.emplace_back(
      std::make_shared<ConnectionLimit::Member>(loop, known.place, options_.exclusive, this));
}

ConnectionShare::~ConnectionShare() {
  if (!member_) return;
  NoteIdle(false);
  const std::lock_guard lock(queue_->mutex);
  member_->share = nullptr;
  std::erase(queue_->members, member_);
  if (member_->queued) std::erase(queue_->waiting, member_);
  if (member_->granted) {
    limit_.used_.fetch_sub(1);
    if (options_.exclusive) member_->place->fetch_sub(1);
  }
  const auto known = queue_->places.find(options_.place);
  if (--known->second.members == 0) queue_->places.erase(known);
  limit_.Serve(*queue_);
}

std::optional<ConnectionShare::Permit> ConnectionShare::Take() {
  if (limit_.waited_for()) return std::nullopt;
  const Permit permit{.at_place = member_ != nullptr && options_.exclusive};
  if (permit.at_place) member_->place->fetch_add(1);  // first, as in Grant
  if (limit_.Take()) return permit;
  if (permit.at_place) {
    member_->place->fetch_sub(1);
    limit_.Wake();  // who has seen it taken
  }
  return std::nullopt;
}

std::optional<ConnectionShare::Permit> ConnectionShare::TakeBeyond() {
  Permit permit;
  if (member_ && options_.exclusive) {
    std::uint32_t none = 0;
    if (!member_->place->compare_exchange_strong(none, 1)) return std::nullopt;
    permit.at_place = true;
  }
  limit_.used_.fetch_add(1);
  return permit;
}

void ConnectionShare::Return(Permit permit) {
  limit_.used_.fetch_sub(1);
  if (permit.at_place) member_->place->fetch_sub(1);
  if (!permit.for_other) return limit_.Wake();
  const std::lock_guard lock(queue_->mutex);
  --queue_->being_given;
  limit_.Serve(*queue_);
  limit_.AskWhereOneIdles(*queue_);  // it may have gone to somebody else
}

void ConnectionShare::LeavePlace(Permit& permit) {
  if (!std::exchange(permit.at_place, false)) return;
  member_->place->fetch_sub(1);
  limit_.Wake();
}

void ConnectionShare::Want(bool without_any) {
  if (!member_ || (wants_ && wants_without_any_ == without_any)) return;
  wants_ = true;
  wants_without_any_ = without_any;
  const std::lock_guard lock(queue_->mutex);
  if (member_->granted) return;
  member_->without_any = without_any;
  if (!std::exchange(member_->queued, true)) queue_->waiting.push_back(member_);
  limit_.NoteQueue(*queue_);  // before the counts are looked at: who returns one from now on sees it
  limit_.Serve(*queue_);
  limit_.AskWhereOneIdles(*queue_);
}

void ConnectionShare::Unwant() {
  if (!std::exchange(wants_, false)) return;
  const std::lock_guard lock(queue_->mutex);
  if (!std::exchange(member_->queued, false)) return;  // what was granted comes, and is returned
  std::erase(queue_->waiting, member_);
  limit_.NoteQueue(*queue_);
}

void ConnectionShare::OnGranted() {
  wants_ = false;
  {
    const std::lock_guard lock(queue_->mutex);
    member_->granted = false;
  }
  options_.on_granted({.at_place = options_.exclusive});
}

void ConnectionShare::NoteIdle(bool idle) noexcept {
  if (!member_ || member_->idle.load() == idle) return;
  member_->idle.store(idle);
  if (idle) {
    limit_.idle_.fetch_add(1);
  } else {
    limit_.idle_.fetch_sub(1);
  }
}

bool ConnectionShare::Claim() {
  if (!member_) return false;
  const std::lock_guard lock(queue_->mutex);
  // Above the limit a closed connection makes room at its own place only.
  const bool anywhere = limit_.used() <= limit_.most();
  const auto helped = std::count_if(queue_->waiting.begin(), queue_->waiting.end(), [&](const auto& member) {
    return member != member_ && (anywhere || member->place == member_->place);
  });
  if (static_cast<std::size_t>(helped) <= queue_->being_given) return false;
  ++queue_->being_given;
  return true;
}

}  // namespace plait::proxy::cluster
