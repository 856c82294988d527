#pragma once
// The HTTP connections of one worker to one host with one identity and one protocol. HTTP/1: a connection a request at
// a time, the most recently used idle one first. HTTP/2: one connection until its streams are used up, then another.
// Owned by the worker's pool table, on its loop thread. Circuit breakers and statistics are the cluster's
// (process-wide).
//
// Mirrors Envoy's HttpConnPoolImplBase: a failed connect fails all that wait; max_requests_per_connection and
// max_connection_duration end a connection after its running requests; where the cluster has its max_connections,
// cluster/connection_limit.h says whose turn it is.
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "core/conn/connection.h"
#include "core/io/loop.h"
#include "core/io/timer.h"
#include "proxy/cluster/cluster.h"
#include "proxy/upstream/dial.h"

namespace plait::proxy::upstream {

class TlsContexts;  // transport.h

enum class PoolFailure : std::uint8_t { kConnect, kTimeout };

struct HttpPoolOptions {
  Connector* connector = nullptr;  // outlives the pool
  Dial dial;
  conn::ConnectionOptions connection;
  std::uint32_t max_requests_per_connection = 0;  // 0: no limit
  std::uint32_t max_concurrent_streams = 0;       // HTTP/2; 0: what the peer allows
  Duration max_connection_duration{0};            // 0: none
  cluster::ClusterPtr cluster;                    // limits and statistics; the configuration that the pool was made for
  cluster::HostPtr host;
  xds::RoutingPriority priority = xds::RoutingPriority::kDefault;
  std::string server_name;  // where it follows the request's authority: pools with different ones share nothing
};

class HttpPool {
 public:
  // A stream that was just opened, and the connection that it runs on (valid while the stream is).
  struct Opened {
    http::ClientStream* stream = nullptr;
    const conn::ClientConnection* connection = nullptr;
    const std::string* closed_because = nullptr;  // why the pool itself ends the connection; empty: it does not
  };

  // Somebody who waits for a stream. Destroying it ends the wait. Exactly one of the two is called, in a later round.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual ~Waiter();
    // Open the stream with pool.Take(events) inside; not doing so gives the turn to the next.
    virtual void OnTurn(HttpPool& pool) = 0;
    // `reason`: for %UPSTREAM_TRANSPORT_FAILURE_REASON%.
    virtual void OnPoolFailure(PoolFailure failure, const std::string& reason) = 0;

   private:
    friend class HttpPool;
    void Leave() noexcept;
    HttpPool* pool_ = nullptr;
    std::list<Waiter*>::iterator place_;
  };

  HttpPool(io::Loop& loop, HttpPoolOptions options);
  ~HttpPool();
  HttpPool(const HttpPool&) = delete;
  HttpPool& operator=(const HttpPool&) = delete;

  // A stream on a connection that has room now; `stream` is null when there is none (then Wait).
  Opened Take(http::ClientStreamEvents& events);
  // kLimit at once when as many wait as the cluster allows; else the waiter will be told.
  Result<> Wait(Waiter& waiter);

  // Takes no more; those that wait get their turn still, on new connections if need be; running requests end, then
  // connections close. For hosts that were removed, and for a configuration that has changed.
  void Drain();
  // The trust or our own certificate may have changed: connections to a peer that would be refused now, and those whose
  // own certificate has another root than that of now, take no more requests and end with those that run; the former
  // after Standing::last_requests in any case.
  void JudgeAgain(TlsContexts& contexts);
  const HttpPoolOptions& options() const noexcept { return options_; }
  bool empty() const noexcept { return clients_.empty() && waiters_.empty(); }
  std::size_t connections() const noexcept { return clients_.size(); }
  std::size_t waiting() const noexcept { return waiters_.size(); }
  // Runs (through the loop) each time the pool becomes empty.
  void OnEmpty(std::move_only_function<void()> call) { on_empty_ = std::move(call); }

 private:
  class Client;
  friend class Client;

  void ConnectIfNeeded();
  bool Connect();
  void MakeClient(cluster::ConnectionShare::Permit permit);
  bool NeedsConnection() const noexcept;
  bool HasNone() const noexcept;
  void OnGranted(cluster::ConnectionShare::Permit permit);
  void GiveTurns();
  void TakeTurns();
  void GiveUpIdle();
  void GiveUpOne();
  Client* FindIdle() const noexcept;
  bool AllServed() const noexcept { return draining_ && waiters_.empty(); }
  void DrainClients();
  void FailFirstWaiter(const std::string& reason);
  void FailWaiters(PoolFailure failure, const std::string& reason);
  void DialOther(Client& refused);
  void OnClientReady(Client& client);
  void OnClientGone(Client& client, bool was_connecting, PoolFailure failure, const Error& why);
  Client* FindRoom() noexcept;
  void NoteRoom(Client& client);
  void CountGone(const Client& client, bool failed, PoolFailure failure);
  void NoteEmpty();

  io::Loop& loop_;
  HttpPoolOptions options_;
  cluster::ClusterLimits& limits_;  // of options_.cluster
  cluster::ConnectionShare share_;  // of limits_.connections
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> ready_;  // had room when they were put here; the most recently used last
  std::list<Waiter*> waiters_;
  std::size_t connecting_ = 0;
  bool draining_ = false;
  bool giving_turns_ = false;
  bool in_turn_ = false;  // a waiter's: it may take although the pool drains
  std::move_only_function<void()> on_empty_;
  io::Timer turns_;  // serves waiters in a round of its own, never inside a codec's event
  io::Timer emptied_;
};

}  // namespace plait::proxy::upstream
