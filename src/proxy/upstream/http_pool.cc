#include "proxy/upstream/http_pool.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "proxy/upstream/http_pool_client.h"
#include "proxy/upstream/transport.h"

namespace plait::proxy::upstream {
using cluster::ClusterStat;
using Permit = cluster::ConnectionShare::Permit;

namespace {

// How long a connection serves the requests of its own pool while another pool has none: each change costs a handshake.
constexpr Duration kTurn = std::chrono::milliseconds(20);

std::string PlaceOf(const HttpPoolOptions& options) {
  std::string place = options.dial.address.ToString();
  place.append("|").append(options.host->facts().identity).append("|").append(options.server_name).append("|");
  return place.append(std::to_string(static_cast<int>(options.connection.protocol)));
}

}  // namespace

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
  if (!pool.NeedsConnection()) pool.share_.Unwant();
  // Nobody is left to be served: in a round of its own, whoever it is that leaves.
  if (pool.AllServed()) pool.turns_.Start(pool.loop_.timers(), Duration(0));
}

HttpPool::HttpPool(io::Loop& loop, HttpPoolOptions options)
    : loop_(loop),
      options_(std::move(options)),
      limits_(options_.cluster->state->limits[static_cast<std::size_t>(options_.priority)]),
      share_(limits_.connections, loop,
             {.place = PlaceOf(options_),
              .exclusive = options_.connection.protocol != conn::Protocol::kHttp2,
              .on_granted = [this](Permit permit) { OnGranted(permit); },
              .on_asked = [this] { GiveUpIdle(); }}) {
  turns_.SetCallback([this] { TakeTurns(); });
  emptied_.SetCallback([this] {
    if (empty() && on_empty_) on_empty_();
  });
}

void HttpPool::TakeTurns() {
  giving_turns_ = false;
  if (share_.others_wait_without_any()) GiveUpOne();
  while (!waiters_.empty() && FindRoom() != nullptr) {
    Waiter& waiter = *waiters_.front();
    waiter.Leave();
    in_turn_ = true;
    waiter.OnTurn(*this);
    in_turn_ = false;
  }
  ConnectIfNeeded();
  if (AllServed()) return DrainClients();
  GiveUpIdle();
}

// The least recently used one.
HttpPool::Client* HttpPool::FindIdle() const noexcept {
  const auto found = std::find_if(ready_.begin(), ready_.end(), [](const Client* client) { return client->idle(); });
  return found == ready_.end() ? nullptr : *found;
}

// To other pools of the process, of this worker or another one. Never inside a codec's event.
void HttpPool::GiveUpIdle() {
  if (!waiters_.empty()) return share_.NoteIdle(false);  // it has its next request
  Client* idle = FindIdle();
  share_.NoteIdle(idle != nullptr);
  for (; idle != nullptr && share_.others_wait() && share_.Claim(); idle = FindIdle()) idle->GiveUp();
}

// Although requests wait here, too: in turn, as they would be served by one worker.
void HttpPool::GiveUpOne() {
  Client* idle = FindIdle();
  if (idle != nullptr && loop_.Now() - idle->started() >= kTurn && share_.Claim()) idle->GiveUp();
}

void HttpPool::CountGone(const Client& client, bool failed, PoolFailure failure) {
  const cluster::ClusterState& state = *options_.cluster->state;
  share_.Return(client.permit);
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
  for (const auto& client : clients_) CountGone(*client, false, PoolFailure::kConnect);
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
  if (waiters_.empty()) share_.NoteIdle(true);
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
  if (NeedsConnection()) Connect();
  return {};
}

bool HttpPool::Connect() {
  const bool none = HasNone();
  std::optional<Permit> permit = share_.Take();
  if (!permit) {
    options_.cluster->state->Add(ClusterStat::kUpstreamCxOverflow);
    if (none) permit = share_.TakeBeyond();
  }
  if (!permit) {
    share_.Want(none);
    return false;
  }
  MakeClient(*permit);
  if (!NeedsConnection()) share_.Unwant();
  return true;
}

void HttpPool::MakeClient(Permit permit) {
  const cluster::ClusterState& state = *options_.cluster->state;
  if (draining_) share_.LeavePlace(permit);
  ++connecting_;
  state.Add(ClusterStat::kUpstreamCxTotal);
  state.AddGauge(ClusterStat::kUpstreamCxActive, 1);
  options_.host->stats().cx_total.fetch_add(1, std::memory_order_relaxed);
  options_.host->stats().cx_active.fetch_add(1, std::memory_order_relaxed);
  const bool two = options_.dial.other.has_value();
  clients_.push_back(std::make_unique<Client>(*this, permit, two && options_.host->begins_at_other(), /*last=*/!two));
}

// An outdated one may have a request for hours, and is no use to any other. Those that end for other reasons count, as
// in Envoy: where each carries one request, the limit would hold for nothing.
bool HttpPool::HasNone() const noexcept {
  return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->outdated(); });
}

bool HttpPool::NeedsConnection() const noexcept {
  if (options_.connection.protocol == conn::Protocol::kHttp2 && connecting_ > 0) return false;
  return connecting_ < waiters_.size();
}

void HttpPool::OnGranted(Permit permit) {
  if (!NeedsConnection()) return share_.Return(permit);
  MakeClient(permit);
  ConnectIfNeeded();
}

void HttpPool::ConnectIfNeeded() {
  while (NeedsConnection() && Connect()) {
  }
}

void HttpPool::GiveTurns() {
  if ((waiters_.empty() && !share_.others_wait()) || std::exchange(giving_turns_, true)) return;
  turns_.Start(loop_.timers(), Duration(0));
}

// The other address of the host in its place: for limits and counts it is the same connection, as in Envoy.
void HttpPool::DialOther(Client& refused) {
  const auto place = std::find_if(clients_.begin(), clients_.end(), [&](const auto& c) { return c.get() == &refused; });
  PLAIT_CHECK(place != clients_.end());
  auto next = std::make_unique<Client>(*this, refused.permit, !refused.at_other(), /*last=*/true);
  loop_.DeleteLater(std::exchange(*place, std::move(next)));
}

void HttpPool::OnClientReady(Client& client) {
  --connecting_;
  options_.host->NoteOpened(client.at_other());
  if (client.version() == http::Version::kHttp2) share_.LeavePlace(client.permit);
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
  const bool given_up = AllServed() || client.permit.for_other;  // by us
  CountGone(client, was_connecting && !given_up, failure);
  if (was_connecting) {
    --connecting_;
    // The handshake of TLS is part of connecting.
    if (why.code == Errc::kTimedOut) failure = PoolFailure::kTimeout;
    if (!given_up) FailWaiters(failure, failure == PoolFailure::kTimeout ? "" : TransportFailure(client.stream(), why));
  } else {
    // A host that accepts and closes at once serves nobody: one request pays for each try, so this ends. The same for
    // one that is not trusted; our own certificate is the new one on the next connection.
    const std::string& refusal = client.closed_because();
    const bool renewed = client.outdated() && refusal.empty();
    if (!client.used() && !given_up && !renewed && !waiters_.empty())
      FailFirstWaiter(refusal.empty() ? TransportFailure(client.stream(), why) : refusal);
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
  for (const auto& client : clients_) share_.LeavePlace(client->permit);  // a pool to come need not wait for them
  if (waiters_.empty()) return DrainClients();
  ConnectIfNeeded();
}

void HttpPool::JudgeAgain(TlsContexts& contexts) {
  if (clients_.empty()) return;
  const TlsContexts::Judge judge = contexts.JudgeFor(*options_.cluster, *options_.host);
  for (const auto& client : clients_) {
    client->JudgeAgain(contexts, judge);
    if (client->outdated()) share_.LeavePlace(client->permit);  // the next one need not wait for it
  }
  if (HasNone()) ConnectIfNeeded();
}

void HttpPool::DrainClients() {
  for (const auto& client : clients_) client->Drain();
  NoteEmpty();
}

void HttpPool::NoteEmpty() {
  if (empty()) emptied_.Start(loop_.timers(), Duration(0));
}

}  // namespace plait::proxy::upstream
