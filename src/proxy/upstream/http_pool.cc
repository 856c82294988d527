#include "proxy/upstream/http_pool.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/log.h"
#include "proxy/upstream/transport.h"

namespace plait::proxy::upstream {
using cluster::ClusterStat;
namespace {

log::Component kLog("conn");
// What is left to the requests that run on a connection whose peer is not trusted any more.
constexpr Duration kLastRequests = std::chrono::seconds(5);

}  // namespace

// One connection: connecting -> ready <-> full -> draining -> gone.
class HttpPool::Client final : public conn::ClientConnectionEvents {
 public:
  explicit Client(HttpPool& pool)
      : pool_(pool),
        connection_(pool.loop_, Open(*pool.options_.connector, pool.loop_, pool.options_.dial),
                    pool.options_.connection, *this),
        started_(pool.loop_.Now()) {
    timer_.SetCallback([this] { OnTimer(); });
    timer_.Start(pool.loop_.timers(), pool.options_.dial.connect_timeout);
  }

  bool connecting() const noexcept { return connecting_; }
  bool has_room() const noexcept {
    return !connecting_ && !draining_ && connection_.open() && connection_.active_streams() < MaxStreams();
  }

  Opened Take(http::ClientStreamEvents& events) {
    http::ClientStream* stream = connection_.NewStream(events);
    if (stream == nullptr) return {};
    ++requests_;
    const std::uint32_t most = pool_.options_.max_requests_per_connection;
    if (most != 0 && requests_ >= most) {
      Count(ClusterStat::kUpstreamCxMaxRequests);
      Drain();
    }
    return {stream, &connection_, &closed_because_};
  }

  void JudgeAgain(TlsContexts& contexts) {
    judge_when_open_ = connecting_ ? &contexts : nullptr;  // its handshake may have begun under what was before
    if (connecting_ || !closed_because_.empty()) return;
    const cluster::Cluster& cluster = *pool_.options_.cluster;
    const cluster::Host& host = *pool_.options_.host;
    const TlsContexts::Standing standing = contexts.Judge(cluster, host, stream());
    if (standing.refusal.empty()) {
      if (standing.is_under_other_root) Drain();
      return;
    }
    closed_because_ = "upstream no longer trusted: " + standing.refusal;
    kLog.Warn("a connection to " + host.address().ToString() + " of cluster " + cluster.name() +
              " takes no more requests: " + closed_because_);
    Drain();
    timer_.Start(pool_.loop_.timers(), kLastRequests);
  }

  void Drain() {
    if (std::exchange(draining_, true)) return;
    if (connecting_) {
      connection_.Close(http::ResetReason::kCancel);
    } else {
      connection_.Drain();
    }
  }

  http::Version version() const noexcept { return connection_.version(); }
  const io::Stream& stream() const noexcept { return connection_.stream(); }
  bool used() const noexcept { return requests_ > 0; }
  bool listed_as_ready = false;

 private:
  std::size_t MaxStreams() const noexcept {
    const std::size_t peer = connection_.max_streams();
    const std::size_t own = pool_.options_.max_concurrent_streams;
    return own == 0 || connection_.version() != http::Version::kHttp2 ? peer : std::min(peer, own);
  }

  void Count(ClusterStat stat) const { pool_.options_.cluster->state->Add(stat); }
  // Of a connection that lives long, too: after each request.
  void CountBytes() {
    const cluster::ClusterState& state = *pool_.options_.cluster->state;
    const std::uint64_t read = connection_.bytes_read(), written = connection_.bytes_written();
    state.Add(ClusterStat::kUpstreamCxRxBytesTotal, read - std::exchange(counted_read_, read));
    state.Add(ClusterStat::kUpstreamCxTxBytesTotal, written - std::exchange(counted_written_, written));
  }
  void CountEnd(const Error& why) {
    const bool remote = why.code == Errc::kPeerClosed || why.code == Errc::kPeerReset ||
                        (connecting_ && !timed_out_ && why.code != Errc::kCancelled);
    Count(remote ? ClusterStat::kUpstreamCxDestroyRemote : ClusterStat::kUpstreamCxDestroyLocal);
    if (!connecting_ && why.code == Errc::kTimedOut) Count(ClusterStat::kUpstreamCxIdleTimeout);
    if (!connecting_ && why.code == Errc::kInvalidInput) Count(ClusterStat::kUpstreamCxProtocolError);
    CountBytes();
  }

  void OnConnectionOpen() override {
    connecting_ = false;
    pool_.options_.cluster->state->Record(
        ClusterStat::kUpstreamCxConnectMs,
        std::chrono::duration<double, std::milli>(pool_.loop_.Now() - started_).count());
    timer_.Cancel();
    if (pool_.options_.max_connection_duration > Duration(0)) {
      timer_.Start(pool_.loop_.timers(), pool_.options_.max_connection_duration);
    }
    if (judge_when_open_ != nullptr) JudgeAgain(*judge_when_open_);
    pool_.OnClientReady(*this);
  }
  void OnGoAway() override {
    draining_ = true;
    Count(ClusterStat::kUpstreamCxCloseNotify);
  }
  void OnMaxStreamsChanged() override {
    CountBytes();
    if (!connecting_) pool_.NoteRoom(*this);
  }
  void OnBusyChanged(bool busy) override {
    CountBytes();
    if (!busy && !connecting_) pool_.NoteRoom(*this);
  }
  void OnConnectionClosed(const Error& why) override {
    timer_.Cancel();
    CountEnd(why);
    pool_.OnClientGone(*this, connecting_, timed_out_ ? PoolFailure::kTimeout : PoolFailure::kConnect, why);
  }
  void OnTimer() {
    if (!closed_because_.empty()) return connection_.Close(http::ResetReason::kConnectionClosed);
    if (!connecting_) return Drain();
    timed_out_ = true;
    connection_.Close(http::ResetReason::kTimedOut);
  }

  HttpPool& pool_;
  std::uint32_t requests_ = 0;
  bool connecting_ = true;
  bool draining_ = false;
  bool timed_out_ = false;
  TlsContexts* judge_when_open_ = nullptr;
  std::string closed_because_;
  std::uint64_t counted_read_ = 0;
  std::uint64_t counted_written_ = 0;
  io::Timer timer_;  // connect time limit, then the connection's lifetime
  conn::ClientConnection connection_;
  const MonotonicTime started_;
};

HttpPool::Waiter::~Waiter() {
  if (pool_ != nullptr) pool_->options_.cluster->state->Add(ClusterStat::kUpstreamRqCancelled);
  Leave();
}

void HttpPool::Waiter::Leave() noexcept {
  if (pool_ == nullptr) return;
  HttpPool& pool = *std::exchange(pool_, nullptr);
  pool.waiters_.erase(place_);
  pool.limits_.pending.Return();
  pool.options_.cluster->state->AddGauge(ClusterStat::kUpstreamRqPendingActive, -1);
  // Nobody is left to be served: in a round of its own, whoever it is that leaves.
  if (pool.AllServed()) pool.turns_.Start(pool.loop_.timers(), Duration(0));
}

HttpPool::HttpPool(io::Loop& loop, HttpPoolOptions options)
    : loop_(loop),
      options_(std::move(options)),
      limits_(options_.cluster->state->limits[static_cast<std::size_t>(options_.priority)]) {
  turns_.SetCallback([this] {
    giving_turns_ = false;
    while (!waiters_.empty() && FindRoom() != nullptr) {
      Waiter& waiter = *waiters_.front();
      waiter.Leave();
      in_turn_ = true;
      waiter.OnTurn(*this);
      in_turn_ = false;
    }
    ConnectIfNeeded();
    if (AllServed()) DrainClients();
  });
  emptied_.SetCallback([this] {
    if (empty() && on_empty_) on_empty_();
  });
}

void HttpPool::CountGone(bool failed, PoolFailure failure) {
  const cluster::ClusterState& state = *options_.cluster->state;
  limits_.connections.Return();
  state.AddGauge(ClusterStat::kUpstreamCxActive, -1);
  state.Add(ClusterStat::kUpstreamCxDestroy);
  options_.host->stats().cx_active.fetch_sub(1, std::memory_order_relaxed);
  if (!failed) return;
  state.Add(ClusterStat::kUpstreamCxConnectFail);
  if (failure == PoolFailure::kTimeout) state.Add(ClusterStat::kUpstreamCxConnectTimeout);
  options_.host->stats().cx_connect_fail.fetch_add(1, std::memory_order_relaxed);
  cluster::ReportLocalFailure(*options_.cluster, *options_.host,
                              failure == PoolFailure::kTimeout ? cluster::LocalFailure::kConnectTimeout
                                                               : cluster::LocalFailure::kConnectFailed);
}

HttpPool::~HttpPool() {
  for (Waiter* waiter : waiters_) {
    waiter->pool_ = nullptr;
    limits_.pending.Return();
    options_.cluster->state->AddGauge(ClusterStat::kUpstreamRqPendingActive, -1);
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) CountGone(false, PoolFailure::kConnect);
}

HttpPool::Client* HttpPool::FindRoom() noexcept {
  while (!ready_.empty()) {
    Client* client = ready_.back();
    if (client->has_room()) return client;
    client->listed_as_ready = false;
    ready_.pop_back();
  }
  return nullptr;
}

void HttpPool::NoteRoom(Client& client) {
  if (!client.has_room()) return;
  if (!std::exchange(client.listed_as_ready, true)) ready_.push_back(&client);
  GiveTurns();
}

HttpPool::Opened HttpPool::Take(http::ClientStreamEvents& events) {
  if (draining_ && !in_turn_) return {};
  Client* client = FindRoom();
  return client != nullptr ? client->Take(events) : Opened{};
}

Result<> HttpPool::Wait(Waiter& waiter) {
  PLAIT_CHECK(waiter.pool_ == nullptr);
  if (draining_ && !in_turn_) return Fail(Errc::kUnavailable, "the pool drains");
  const cluster::ClusterState& state = *options_.cluster->state;
  if (!limits_.pending.Take()) {
    state.Add(ClusterStat::kUpstreamRqPendingOverflow);
    return Fail(Errc::kLimit, "overflow");
  }
  state.Add(ClusterStat::kUpstreamRqPendingTotal);
  state.AddGauge(ClusterStat::kUpstreamRqPendingActive, 1);
  waiter.pool_ = this;
  waiter.place_ = waiters_.insert(waiters_.end(), &waiter);
  if (connecting_ < waiters_.size()) Connect();
  return {};
}

bool HttpPool::Connect() {
  if (options_.connection.protocol == conn::Protocol::kHttp2 && connecting_ > 0) return true;
  const cluster::ClusterState& state = *options_.cluster->state;
  if (!limits_.connections.Take()) {
    state.Add(ClusterStat::kUpstreamCxOverflow);
    if (!clients_.empty()) return false;
    // The connections of other workers and hosts will never serve those that wait here: one is always made, as in
    // Envoy, so that requests wait for a connection instead of being refused.
    limits_.connections.TakeBeyond();
  }
  ++connecting_;
  state.Add(ClusterStat::kUpstreamCxTotal);
  state.AddGauge(ClusterStat::kUpstreamCxActive, 1);
  options_.host->stats().cx_total.fetch_add(1, std::memory_order_relaxed);
  options_.host->stats().cx_active.fetch_add(1, std::memory_order_relaxed);
  clients_.push_back(std::make_unique<Client>(*this));
  return true;
}

void HttpPool::ConnectIfNeeded() {
  while (connecting_ < waiters_.size()) {
    const std::size_t before = connecting_;
    if (!Connect() || connecting_ == before) return;
  }
}

void HttpPool::GiveTurns() {
  if (waiters_.empty() || std::exchange(giving_turns_, true)) return;
  turns_.Start(loop_.timers(), Duration(0));
}

void HttpPool::OnClientReady(Client& client) {
  --connecting_;
  options_.cluster->state->Add(client.version() == http::Version::kHttp2 ? ClusterStat::kUpstreamCxHttp2Total
                                                                         : ClusterStat::kUpstreamCxHttp1Total);
  cluster::ReportConnectedForRequests(*options_.cluster, *options_.host);
  if (AllServed()) return client.Drain();
  NoteRoom(client);
}

void HttpPool::OnClientGone(Client& client, bool was_connecting, PoolFailure failure, const Error& why) {
  const auto place = std::find_if(clients_.begin(), clients_.end(), [&](const auto& c) { return c.get() == &client; });
  PLAIT_CHECK(place != clients_.end());
  loop_.DeleteLater(std::move(*place));
  clients_.erase(place);
  if (client.listed_as_ready) std::erase(ready_, &client);
  const bool given_up = AllServed();  // by us
  CountGone(was_connecting && !given_up, failure);
  if (was_connecting) {
    --connecting_;
    // The handshake of TLS is part of connecting.
    if (why.code == Errc::kTimedOut) failure = PoolFailure::kTimeout;
    if (!given_up) FailWaiters(failure, failure == PoolFailure::kTimeout ? "" : TransportFailure(client.stream(), why));
  } else {
    // A host that accepts and closes at once serves nobody: one request pays for each try, so this ends.
    if (!client.used() && !given_up && !waiters_.empty()) FailFirstWaiter(TransportFailure(client.stream(), why));
    ConnectIfNeeded();
  }
  NoteEmpty();
}

void HttpPool::FailFirstWaiter(const std::string& reason) {
  Waiter& waiter = *waiters_.front();
  waiter.Leave();
  waiter.OnPoolFailure(PoolFailure::kConnect, reason);
}

void HttpPool::FailWaiters(PoolFailure failure, const std::string& reason) {
  // Those who begin to wait inside OnPoolFailure (a retry) wait for the next connection, not for this one.
  for (std::size_t left = waiters_.size(); left > 0 && !waiters_.empty(); --left) {
    Waiter& waiter = *waiters_.front();
    waiter.Leave();
    options_.cluster->state->Add(ClusterStat::kUpstreamRqPendingFailureEject);
    waiter.OnPoolFailure(failure, reason);
  }
}

void HttpPool::Drain() {
  if (std::exchange(draining_, true)) return;
  if (waiters_.empty()) return DrainClients();
  ConnectIfNeeded();
}

void HttpPool::JudgeAgain(TlsContexts& contexts) {
  for (const auto& client : clients_) client->JudgeAgain(contexts);
}

void HttpPool::DrainClients() {
  for (const auto& client : clients_) client->Drain();
  NoteEmpty();
}

void HttpPool::NoteEmpty() {
  if (empty()) emptied_.Start(loop_.timers(), Duration(0));
}

}  // namespace plait::proxy::upstream
