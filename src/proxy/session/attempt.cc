#include "proxy/session/attempt.h"

#include <utility>

namespace plait::proxy::session {
using cluster::ClusterStat;

Attempt::Attempt(Orphans& orphans, AttemptEvents& router, cluster::ClusterPtr cluster, cluster::HostPtr host,
                 xds::RoutingPriority priority, http::BytesMeter* meter)
    : orphans_(orphans),
      router_(&router),
      cluster_(std::move(cluster)),
      host_(std::move(host)),
      priority_(priority),
      meter_(meter) {}

Attempt::~Attempt() { CountEnd(); }

std::expected<void, Failure> Attempt::Start(upstream::HttpPool& pool) {
  cluster::ClusterLimits& limits = cluster_->state->limits[static_cast<std::size_t>(priority_)];
  if (!limits.requests.Take()) {
    cluster_->state->Add(ClusterStat::kUpstreamRqActiveOverflow);
    return std::unexpected(Failure::kOverflow);
  }
  counted_ = true;
  cluster_->state->Add(ClusterStat::kUpstreamRqTotal);
  cluster_->state->AddGauge(ClusterStat::kUpstreamRqActive, 1);
  host_->stats().rq_total.fetch_add(1, std::memory_order_relaxed);
  host_->stats().rq_active.fetch_add(1, std::memory_order_relaxed);
  if (Open(pool)) return {};
  if (const Result<> waiting = pool.Wait(*this); !waiting) {
    return std::unexpected(waiting.error().code == Errc::kLimit ? Failure::kOverflow : Failure::kConnectFailure);
  }
  return {};
}

bool Attempt::Open(upstream::HttpPool& pool) {
  const upstream::HttpPool::Opened opened = pool.Take(*this);
  if (opened.stream == nullptr) return false;
  stream_ = opened.stream;
  stream_->SetBytesMeter(meter_);
  connection_ = opened.connection;
  closed_because_ = opened.closed_because;
  return true;
}

void Attempt::SendHead(const http::RequestHead& head, bool end_stream) {
  head_sent_ = true;
  request_ended_ = end_stream;
  stream_->SendHead(head, end_stream);
}

void Attempt::SendData(Buffer& data, bool end_stream) {
  request_ended_ = end_stream;
  stream_->SendData(data, end_stream);
}

void Attempt::SendTrailers(const http::Headers& trailers) {
  request_ended_ = true;
  stream_->SendTrailers(trailers);
}

void Attempt::PauseReading(bool paused) {
  if (open()) stream_->PauseReading(paused);
}

void Attempt::CountEnd() {
  if (!std::exchange(counted_, false)) return;
  cluster_->state->limits[static_cast<std::size_t>(priority_)].requests.Return();
  cluster_->state->AddGauge(ClusterStat::kUpstreamRqActive, -1);
  host_->stats().rq_active.fetch_sub(1, std::memory_order_relaxed);
}

void Attempt::Abandon(std::unique_ptr<Attempt> attempt, http::ResetReason reason) {
  if (!attempt) return;
  attempt->router_ = nullptr;
  attempt->CountEnd();
  if (attempt->stream_ == nullptr) return;  // still waits, or is over: nobody calls it any more
  Attempt& orphan = *attempt;
  orphan.orphans_.Keep(std::move(attempt));
  orphan.LetGo(reason);
  orphan.stream_->SetBytesMeter(nullptr);  // which is gone with the request
}

void Attempt::LetGo(http::ResetReason reason) {
  const bool complete = request_ended_ && response_ended_;
  if (complete || reset_) return;  // OnStreamClosed is on its way; the connection stays usable
  if (is_http2()) cluster_->state->Add(ClusterStat::kUpstreamRqTxReset);
  stream_->Reset(reason);
}

void Attempt::OnTurn(upstream::HttpPool& pool) {
  if (Open(pool)) return router_->OnAttemptOpen();
  if (!pool.Wait(*this)) router_->OnAttemptFailed(Failure::kOverflow, "");
}

void Attempt::OnPoolFailure(upstream::PoolFailure failure, const std::string& reason) {
  CountEnd();
  host_->stats().rq_error.fetch_add(1, std::memory_order_relaxed);  // as Envoy: the request, beside the connection
  router_->OnAttemptFailed(
      failure == upstream::PoolFailure::kTimeout ? Failure::kConnectTimeout : Failure::kConnectFailure, reason);
}

void Attempt::OnInformational(http::ResponseHead head) {
  if (router_ != nullptr) router_->OnAttemptInformational(std::move(head));
}

void Attempt::OnResponseHead(http::ResponseHead head, bool end_stream) {
  response_ended_ = end_stream;
  if (router_ == nullptr) return;
  const std::uint16_t status = head.status;
  cluster::ReportResponse(*cluster_, *host_, status);
  router_->OnAttemptHead(std::move(head), end_stream);
}

void Attempt::OnData(Buffer& data, bool end_stream) {
  response_ended_ = end_stream;
  if (router_ != nullptr) router_->OnAttemptData(data, end_stream);
}

void Attempt::OnTrailers(http::Headers trailers) {
  response_ended_ = true;
  if (router_ != nullptr) router_->OnAttemptTrailers(std::move(trailers));
}

void Attempt::OnReset(http::ResetReason reason) {
  reset_ = true;  // the codec takes no more from us; OnStreamClosed follows
  if (router_ == nullptr) return;
  CountEnd();
  // Only HTTP/2 has resets; a connection that ends under its streams is none, as in Envoy.
  if (is_http2()) {
    const bool gone = reason == http::ResetReason::kConnectionClosed;
    cluster_->state->Add(gone ? ClusterStat::kUpstreamRqPendingFailureEject : ClusterStat::kUpstreamRqRxReset);
  }
  cluster::ReportLocalFailure(*cluster_, *host_, cluster::LocalFailure::kReset);
  const bool told = reason == http::ResetReason::kConnectionClosed && closed_because_ != nullptr;
  router_->OnAttemptFailed(FailureOfReset(reason), told ? *closed_because_ : "");
}

void Attempt::OnBelowLowWatermark() {
  if (router_ != nullptr) router_->OnAttemptWritable();
}

void Attempt::OnStreamClosed() {
  stream_ = nullptr;
  CountEnd();
  orphans_.Release(*this);
}

}  // namespace plait::proxy::session
