#pragma once
// The connections that a cluster may have at one priority: one count for the whole process (design.md: "Limits are the
// process's"), and the queue of the HTTP pools that want one while all are taken. Mirrors the connections of Envoy's
// ResourceManager; a worker of Envoy cannot wait for another one and goes beyond the limit instead.
//
// - Within the limit a connection is whose comes first. Who does not wait (TCP) is refused at the limit, and while
//   somebody waits.
// - A place (an endpoint with a protocol and an identity) may have one connection although the limit is reached, so
//   that requests wait and are never stuck. It is the process's: a second worker waits for it.
// - HTTP/2 carries many requests at once, but only those of its worker; so each worker may have one to a place.
// - Pools without a connection are served first, each group in the order of asking. Where a connection idles, its pool
//   is asked to give it up.
//
// Any thread. The counts are atomic; the mutex is for pools that begin, end, or must wait, never for a request that
// finds a connection. (Style rule 18 keeps locks elsewhere; who waits on one worker is woken by another here.)
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/io/loop.h"

namespace plait::proxy::cluster {

class ConnectionLimit {
 public:
  ConnectionLimit() = default;
  ~ConnectionLimit();
  ConnectionLimit(const ConnectionLimit&) = delete;
  ConnectionLimit& operator=(const ConnectionLimit&) = delete;

  bool Take() noexcept { return !waited_for() && TakeFree(); }
  void Return() noexcept;
  std::uint32_t used() const noexcept { return used_.load(); }
  std::uint32_t most() const noexcept { return most_.load(); }
  void SetMost(std::uint32_t most) noexcept;
  // Somebody wants a connection; and has none at all.
  bool waited_for() const noexcept { return queued_.load() > 0; }
  bool waited_for_without_any() const noexcept { return without_any_.load() > 0; }

 private:
  friend class ConnectionShare;
  // Connections that carry one request at a time, or may turn out to, over all workers.
  using Place = std::atomic<std::uint32_t>;
  struct Member;
  using MemberPtr = std::shared_ptr<Member>;

  // The pools of a limit. Most clusters have none, and many thousands of clusters must be cheap.
  struct Queue;

  bool TakeFree() noexcept;
  void Wake() noexcept;
  Queue& MakeQueue();
  // These want the queue's mutex.
  void Serve(Queue& queue);
  bool Grant(const MemberPtr& member);
  void AskWhereOneIdles(const Queue& queue) const;
  void NoteQueue(const Queue& queue) noexcept;

  // Sequentially consistent: who returns a connection sees who has begun to wait, or is seen by it.
  std::atomic<std::uint32_t> used_{0};
  std::atomic<std::uint32_t> most_{UINT32_MAX};
  std::atomic<std::uint32_t> queued_{0};       // who waits
  std::atomic<std::uint32_t> without_any_{0};  // of those, who have no connection
  std::atomic<std::uint32_t> idle_{0};         // pools where a connection may idle
  std::atomic<Queue*> queue_{nullptr};         // owned; made with the first pool of a limit
};

// One HTTP pool's part in a limit. On the pool's loop thread. `limit` outlives it.
class ConnectionShare {
 public:
  // What a connection of the pool counts as.
  struct Permit {
    bool at_place = false;   // in the place's count
    bool for_other = false;  // it closes because another pool wants one
  };
  struct Options {
    std::string place;      // where the pool connects to, and as what
    bool exclusive = true;  // its connections carry, or may turn out to carry, one request at a time
    // In a round of their own. A connection is taken for the pool: use it or Return it.
    std::function<void(Permit)> on_granted;
    // Somebody waits: give up what idles.
    std::function<void()> on_asked;
  };
  ConnectionShare(ConnectionLimit& limit, io::Loop& loop, Options options);
  ~ConnectionShare();
  ConnectionShare(const ConnectionShare&) = delete;
  ConnectionShare& operator=(const ConnectionShare&) = delete;

  // One more connection within the limit.
  std::optional<Permit> Take();
  // One beyond it, for a pool that has none: the place's first.
  std::optional<Permit> TakeBeyond();
  void Return(Permit permit);
  // The connection is nobody's to wait for: it carries many requests, or its pool takes no more.
  void LeavePlace(Permit& permit);

  // Waits for one connection until on_granted; `without_any`: the pool has none. Again when that has changed.
  void Want(bool without_any);
  void Unwant();

  // A connection idles; false: none does any more. O(1); saying true too long costs a question, false costs a waiter.
  void NoteIdle(bool idle) noexcept;
  bool others_wait() const noexcept { return member_ != nullptr && limit_.waited_for(); }
  bool others_wait_without_any() const noexcept { return member_ != nullptr && limit_.waited_for_without_any(); }
  // May one be closed for another pool? True once for each that wants one and would get it.
  bool Claim();

 private:
  friend class ConnectionLimit;
  void OnGranted();

  ConnectionLimit& limit_;
  const Options options_;
  ConnectionLimit::Queue* queue_ = nullptr;  // with member_
  ConnectionLimit::MemberPtr member_;        // null: there was no limit when the pool began
  bool wants_ = false;
  bool wants_without_any_ = false;
};

}  // namespace plait::proxy::cluster
