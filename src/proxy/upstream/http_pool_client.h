#pragma once
// One connection of an HttpPool, for http_pool.cc alone. The pool owns it; it tells the pool when it has room for a
// request and when it is gone, and counts what becomes of it.
#include <algorithm>
#include <string>
#include <utility>

#include "core/base/log.h"
#include "core/conn/ended_here.h"
#include "proxy/upstream/http_pool.h"
#include "proxy/upstream/transport.h"

namespace plait::proxy::upstream {

// One connection: connecting -> ready <-> full -> draining -> gone.
class HttpPool::Client final : public conn::ClientConnectionEvents {
 public:
  using Permit = cluster::ConnectionShare::Permit;
  // `at_other`: at the other address of the host, and `last`: whichever it is, the one that is left.
  Client(HttpPool& pool, Permit taken, bool at_other, bool last)
      : permit(taken),
        pool_(pool),
        at_other_(at_other),
        last_(last),
        connection_(pool.loop_, Open(*pool.options_.connector, pool.loop_, pool.options_.dial, at_other),
                    pool.options_.connection, *this),
        started_(pool.loop_.Now()) {
    timer_.SetCallback([this] { OnTimer(); });
    timer_.Start(pool.loop_.timers(), pool.options_.dial.connect_timeout);
  }

  bool connecting() const noexcept { return connecting_; }
  bool at_other() const noexcept { return at_other_; }
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

  // `judge`: the one of `contexts` for the pool's host.
  void JudgeAgain(TlsContexts& contexts, const TlsContexts::Judge& judge) {
    judge_when_open_ = connecting_ ? &contexts : nullptr;  // its handshake may have begun under what was before
    if (connecting_ || judge == nullptr || !closed_because_.empty()) return;
    const TlsContexts::Standing standing = judge(stream());
    if (standing.refusal.empty() && !standing.is_under_other_root) return;
    outdated_ = true;
    Drain();
    if (standing.refusal.empty()) return;
    closed_because_ = "upstream no longer trusted: " + standing.refusal;
    log_.Warn("a connection to " + pool_.options_.host->address().ToString() + " of cluster " +
              pool_.options_.cluster->name() + " takes no more requests: " + closed_because_);
    timer_.Start(pool_.loop_.timers(), standing.last_requests);
  }

  void Drain() {
    if (std::exchange(draining_, true)) return;
    if (connecting_) {
      connection_.Close(http::ResetReason::kCancel);
    } else {
      connection_.Drain();
    }
  }

  // Another pool wants a connection, and this one idles.
  void GiveUp() {
    permit.for_other = true;
    Drain();
  }

  http::Version version() const noexcept { return connection_.version(); }
  const io::Stream& stream() const noexcept { return connection_.stream(); }
  bool used() const noexcept { return requests_ > 0; }
  // It takes no more requests, for the trust or our own certificate has changed.
  bool outdated() const noexcept { return outdated_; }
  const std::string& closed_because() const noexcept { return closed_because_; }
  bool idle() const noexcept { return has_room() && connection_.active_streams() == 0; }
  MonotonicTime started() const noexcept { return started_; }
  Permit permit;  // what it counts as
  bool listed_as_ready = false;

 private:
  using ClusterStat = cluster::ClusterStat;
  inline static log::Component log_{"conn"};

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
    const bool remote = (why.code == Errc::kPeerClosed && !conn::EndedHere(why)) || why.code == Errc::kPeerReset ||
                        (connecting_ && !timed_out_ && why.code != Errc::kCancelled);
    Count(remote ? ClusterStat::kUpstreamCxDestroyRemote : ClusterStat::kUpstreamCxDestroyLocal);
    // HTTP/1 ends with a request that is given up, and in order after its last one: only the former is cut.
    if (cut_ && !(draining_ && conn::EndedHere(why))) {
      Count(ClusterStat::kUpstreamCxDestroyWithActiveRq);
      Count(remote ? ClusterStat::kUpstreamCxDestroyRemoteWithActiveRq
                   : ClusterStat::kUpstreamCxDestroyLocalWithActiveRq);
    }
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
    if (judge_when_open_ != nullptr) {
      TlsContexts& contexts = *judge_when_open_;
      JudgeAgain(contexts, contexts.JudgeFor(*pool_.options_.cluster, *pool_.options_.host));
    }
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
    cut_ = !busy && connection_.closed();
    CountBytes();
    if (!busy && !connecting_) pool_.NoteRoom(*this);
  }
  void OnConnectionClosed(const Error& why) override {
    timer_.Cancel();
    if (connecting_ && !last_ && IsRefused(why)) return pool_.DialOther(*this);
    CountEnd(why);
    pool_.OnClientGone(*this, connecting_, timed_out_ ? PoolFailure::kTimeout : PoolFailure::kConnect, why);
  }
  void OnTimer() {
    if (!closed_because_.empty()) return connection_.Close(http::ResetReason::kConnectionClosed);
    if (!connecting_) {
      Count(ClusterStat::kUpstreamCxMaxDurationReached);
      return Drain();
    }
    timed_out_ = true;
    connection_.Close(http::ResetReason::kTimedOut);
  }

  HttpPool& pool_;
  const bool at_other_;
  const bool last_;
  std::uint32_t requests_ = 0;
  bool connecting_ = true;
  bool draining_ = false;
  bool outdated_ = false;
  bool timed_out_ = false;
  bool cut_ = false;  // it ended under running requests
  TlsContexts* judge_when_open_ = nullptr;
  std::string closed_because_;
  std::uint64_t counted_read_ = 0;
  std::uint64_t counted_written_ = 0;
  io::Timer timer_;  // connect time limit, then the connection's lifetime
  conn::ClientConnection connection_;
  const MonotonicTime started_;
};

}  // namespace plait::proxy::upstream
