// The way back: what an attempt brings, and whether it is tried again.
#include <utility>

#include "proxy/session/router.h"
#include "proxy/session/undelivered.h"

namespace plait::proxy::session {
namespace {
using cluster::ClusterStat;

AttemptFailure KindOf(Failure failure) {
  switch (failure) {
    case Failure::kConnectFailure: return AttemptFailure::kConnectFailure;
    case Failure::kConnectTimeout: return AttemptFailure::kConnectTimeout;
    case Failure::kUpstreamRefused: return AttemptFailure::kRefusedStream;
    case Failure::kOverflow: return AttemptFailure::kOverflow;
    case Failure::kPerTryTimeout:
    case Failure::kPerTryIdleTimeout: return AttemptFailure::kPerTryTimeout;
    default: return AttemptFailure::kReset;
  }
}

// As Envoy from the end of the request to the end of the response.
void CountTime(const cluster::ClusterState& state, std::optional<Duration> since_request) {
  const Duration time = since_request.value_or(Duration(0));
  state.Record(ClusterStat::kUpstreamRqTime, std::chrono::duration<double, std::milli>(time).count());
}

}  // namespace

void Router::PauseResponse(bool paused) {
  if (attempt_ != nullptr) attempt_->PauseReading(paused);
  // While the client does not take its answer, no silence of the upstream is seen.
  if (paused) {
    idle_waits_ = idle_waits_ || attempt_idle_.armed();
    attempt_idle_.Cancel();
  } else if (std::exchange(idle_waits_, false) && state_ == State::kResponse) {
    attempt_idle_.Start(context_.loop.timers(), per_try_idle_timeout_);
  }
}

void Router::OnAttemptInformational(http::ResponseHead head) { events_.OnRouterInformational(std::move(head)); }

void Router::OnAttemptHead(http::ResponseHead head, bool end_stream) {
  attempt_timer_.Cancel();
  constexpr auto kFailure = AttemptFailure::kConnectFailure;
  const bool undelivered = TakeUndelivered(head, request_.record);
  const bool wanted = retry_ && (retry_->WantsRetry(head) || (undelivered && retry_->WantsRetry(kFailure, true)));
  if (retain_ && wanted && TakeRetry()) {
    cluster_->state->CountRetried(head.status);
    return EndAttempt(http::ResetReason::kCancel);
  }
  cluster_->state->CountResponse(head.status);
  if (retry_ && (retry_->WasExhaustedBy(head) || (undelivered && retry_->WasExhaustedBy(kFailure, true)))) {
    cluster_->state->Add(ClusterStat::kUpstreamRqRetryLimitExceeded);
    request_.record.flags.Set(record::ResponseFlag::kUpstreamRetryLimitExceeded);
  }
  if (holds_retry_ && head.status < 500) cluster_->state->Add(ClusterStat::kUpstreamRqRetrySuccess);
  request_.record.upstream_first_received = context_.loop.Now() - request_.record.start_time;
  Commit();
  TouchAttempt();
  if (handshake_ && (head.status == 101 || head.status / 100 == 2)) {
    response_timer_.Cancel();  // what the two say from here on has no time limit
    attempt_idle_.Cancel();
  }
  if (end_stream) Complete();
  events_.OnRouterHead(std::move(head), end_stream);
}

void Router::Commit() {
  state_ = State::kResponse;
  retain_ = false;
  if (attempt_->head_sent()) body_.Clear();
  if (std::exchange(holds_retry_, false)) {
    cluster_->state->limits[static_cast<std::size_t>(action_.priority)].ReturnRetry();
  }
}

// The response is complete.
void Router::Complete() {
  state_ = State::kDone;
  response_timer_.Cancel();
  attempt_idle_.Cancel();
  attempt_life_.Cancel();
  CountTime(*cluster_->state, SinceRequestEnd());
}

void Router::OnAttemptData(Buffer& data, bool end_stream) {
  TouchAttempt();
  if (end_stream) Complete();
  events_.OnRouterData(data, end_stream);
}

void Router::OnAttemptTrailers(http::Headers trailers) {
  Complete();
  events_.OnRouterTrailers(std::move(trailers));
}

void Router::OnAttemptWritable() { events_.OnRouterFull(false); }

void Router::OnAttemptFailed(Failure failure, const std::string& transport) {
  attempt_timer_.Cancel();
  attempt_idle_.Cancel();
  attempt_life_.Cancel();
  if (!transport.empty()) request_.record.transport_failure = transport;
  if (state_ == State::kResponse) {
    state_ = State::kDone;
    response_timer_.Cancel();
    return events_.OnRouterBroken(failure);
  }
  if (state_ != State::kAttempt) return;
  if (Retry(KindOf(failure))) return;
  Fail(failure, transport);
}

bool Router::Retry(AttemptFailure kind) {
  if (!retry_) return false;
  const bool sent = attempt_ != nullptr && attempt_->head_sent();
  if (retry_->WasExhaustedBy(kind, sent)) {
    cluster_->state->Add(ClusterStat::kUpstreamRqRetryLimitExceeded);
    request_.record.flags.Set(record::ResponseFlag::kUpstreamRetryLimitExceeded);
    return false;
  }
  if (!retain_ || !retry_->WantsRetry(kind, sent) || !TakeRetry()) return false;
  EndAttempt(http::ResetReason::kCancel);
  return true;
}

bool Router::TakeRetry() {
  if (std::exchange(holds_retry_, false)) {
    cluster_->state->limits[static_cast<std::size_t>(action_.priority)].ReturnRetry();
  }
  if (!cluster_->state->limits[static_cast<std::size_t>(action_.priority)].TakeRetry()) {
    cluster_->state->Add(ClusterStat::kUpstreamRqRetryOverflow);
    request_.record.flags.Set(record::ResponseFlag::kUpstreamOverflow);
    return false;
  }
  holds_retry_ = true;
  cluster_->state->Add(ClusterStat::kUpstreamRqRetry);
  cluster_->state->Add(ClusterStat::kUpstreamRqRetryBackoffExponential);
  if (request_.record.host != nullptr) tried_.push_back(request_.record.host);
  state_ = State::kBackOff;
  attempt_timer_.Start(context_.loop.timers(), retry_->Take(context_.random));
  return true;
}

void Router::EndAttempt(http::ResetReason reason) {
  attempt_idle_.Cancel();
  attempt_life_.Cancel();
  if (attempt_) Attempt::Abandon(std::exchange(attempt_, nullptr), reason);
  if (state_ == State::kDone && std::exchange(holds_retry_, false)) {
    cluster_->state->limits[static_cast<std::size_t>(action_.priority)].ReturnRetry();
  }
}

void Router::Fail(Failure failure, const std::string& transport) {
  state_ = State::kDone;
  response_timer_.Cancel();
  attempt_timer_.Cancel();
  attempt_idle_.Cancel();
  EndAttempt(http::ResetReason::kCancel);
  body_.Clear();
  // What the client is told counts as the cluster's answer, as in Envoy.
  if (cluster_ != nullptr && failure != Failure::kNoCluster) cluster_->state->CountResponse(FactsOf(failure).status);
  events_.OnRouterFailed(failure, transport, request_.record.attempts > 1);
}

void Router::OnResponseTimeout() {
  cluster_->state->Add(call_deadline_ ? ClusterStat::kUpstreamRqMaxDurationReached : ClusterStat::kUpstreamRqTimeout);
  if (attempt_) {
    cluster::ReportLocalFailure(*cluster_, *attempt_->host(), cluster::LocalFailure::kRequestTimeout);
  }
  const Failure failure = call_deadline_ ? Failure::kMaxStreamDuration : Failure::kResponseTimeout;
  if (state_ != State::kResponse) return Fail(failure);
  Break(failure);
}

// The response, which has begun.
void Router::Break(Failure failure) {
  state_ = State::kDone;
  response_timer_.Cancel();
  EndAttempt(http::ResetReason::kCancel);
  events_.OnRouterBroken(failure);
}

void Router::OnAttemptTimeout(Failure failure) {
  attempt_timer_.Cancel();
  attempt_idle_.Cancel();
  attempt_life_.Cancel();
  const bool life = failure == Failure::kUpstreamStreamDuration;
  cluster_->state->Add(life ? ClusterStat::kUpstreamRqMaxDurationReached : ClusterStat::kUpstreamRqPerTryTimeout);
  if (attempt_ && !life)
    cluster::ReportLocalFailure(*cluster_, *attempt_->host(), cluster::LocalFailure::kRequestTimeout);
  if (state_ == State::kResponse) return Break(failure);
  if (Retry(KindOf(failure))) return;
  Fail(failure);
}

}  // namespace plait::proxy::session
