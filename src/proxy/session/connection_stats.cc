#include "proxy/session/connection_stats.h"

#include <utility>

namespace plait::proxy::session {

using record::HttpStat;

ConnectionStats::ConnectionStats(std::shared_ptr<const record::HttpStats> stats) : stats_(std::move(stats)) {
  stats_->Add(HttpStat::kCxTotal);
  stats_->AddGauge(HttpStat::kCxActive, 1);
}

void ConnectionStats::Opened(http::Version version, bool tls) {
  opened_ = true;
  http2_ = version == http::Version::kHttp2;
  tls_ = tls;
  stats_->Add(http2_ ? HttpStat::kCxHttp2Total : HttpStat::kCxHttp1Total);
  stats_->AddGauge(http2_ ? HttpStat::kCxHttp2Active : HttpStat::kCxHttp1Active, 1);
  if (!tls_) return;
  stats_->Add(HttpStat::kCxSslTotal);
  stats_->AddGauge(HttpStat::kCxSslActive, 1);
}

void ConnectionStats::Bytes(std::uint64_t read, std::uint64_t written) {
  stats_->Add(HttpStat::kCxRxBytes, read - std::exchange(read_, read));
  stats_->Add(HttpStat::kCxTxBytes, written - std::exchange(written_, written));
}

void ConnectionStats::Draining(HttpStat why) {
  if (!std::exchange(draining_, true)) stats_->Add(why);
}

void ConnectionStats::Ended(const End& end) {
  const Errc code = end.why.code;
  const bool remote = code == Errc::kPeerClosed || code == Errc::kPeerReset;
  stats_->AddGauge(HttpStat::kCxActive, -1);
  stats_->Add(HttpStat::kCxDestroy);
  stats_->Add(remote ? HttpStat::kCxDestroyRemote : HttpStat::kCxDestroyLocal);
  if (end.cut_off) {
    stats_->Add(HttpStat::kCxDestroyActiveRq);
    stats_->Add(remote ? HttpStat::kCxDestroyRemoteActiveRq : HttpStat::kCxDestroyLocalActiveRq);
  }
  if (code == Errc::kTimedOut) stats_->Add(HttpStat::kCxIdleTimeout);
  if (code == Errc::kInvalidInput || code == Errc::kLimit) stats_->Add(HttpStat::kCxProtocolError);
  stats_->Record(HttpStat::kCxLength, std::chrono::duration<double, std::milli>(end.lasted).count());
  if (end.handshake_failed) stats_->Add(HttpStat::kCxSslTotal);
  if (!opened_) return;
  stats_->AddGauge(http2_ ? HttpStat::kCxHttp2Active : HttpStat::kCxHttp1Active, -1);
  if (tls_) stats_->AddGauge(HttpStat::kCxSslActive, -1);
}

}  // namespace plait::proxy::session
