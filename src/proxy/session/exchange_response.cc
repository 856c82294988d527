// The way back: answers of the upstream and our own.
#include <utility>

#include "core/http/date.h"
#include "proxy/session/exchange.h"
#include "proxy/session/http_session.h"
#include "proxy/session/undelivered.h"

namespace plait::proxy::session {

using record::HttpStat;

namespace {

bool TellsLocation(std::uint16_t status) { return status == 201 || status / 100 == 3; }

constexpr std::uint32_t kDeadlineExceeded = 4;  // of gRPC

}  // namespace

// From here on operators of header mutations and of the log see it.
void Exchange::NoteResponse(http::ResponseHead head) {
  response_ = std::move(head);
  record_.response = &response_;
  record_.response_code = response_.status;
}

void Exchange::SendResponse(http::ResponseHead head, bool end_stream) {
  Context& context = session_.context();
  const HttpConfig& config = *config_;
  NoteResponse(std::move(head));
  filters_.OnResponseHead(View(), response_, match_.overrides());
  PrepareResponse(config.xds, request_id_, http::HttpDate(context.loop.clock().Wall()), response_);
  if (close_after_) response_.headers.Set("connection", "close");
  AnswerOperation(operation_, RouteConfig(), response_.headers);
  record_.response_header_bytes = response_.headers.byte_size();
  record_.response_first_sent = context.loop.Now() - record_.start_time;
  state_ = State::kResponding;
  session_.stats().Completed(response_.status);
  session_.DrainIfAsked();
  stream_.SendHead(response_, end_stream);
  if (end_stream) EndResponse();
}

void Exchange::EndResponse() {
  state_ = State::kDone;
  // What the client still sends is read and dropped, so that it sees the answer.
  if (!request_ended_) Pause(false);
}

void Exchange::Reply(const LocalReply& reply, record::ResponseFlag flag, std::string details) {
  record_.flags.Set(flag);
  record_.response_details = std::move(details);
  // A bad request says that this client and we read messages differently: nothing that follows can be trusted.
  close_after_ = (reply.status == 400 || reply.close) && record_.protocol != http::Version::kHttp2 &&
                 !config_->xds.http1.override_stream_error_on_invalid_http_message.value_or(
                     config_->xds.stream_error_on_invalid_http_message.value_or(false));
  LocalReply whole = reply;
  const bool answering =
      match_.route != nullptr && (match_.route->redirect != nullptr || match_.route->direct_response != nullptr);
  if (match_.route != nullptr && (by_route_ || !answering)) {
    // What the route changes comes before what the kind of answer demands: content-length, gRPC's status.
    NoteResponse({.status = reply.status, .headers = std::move(whole.headers)});
    record_.response_code = 0;  // to the operators of header mutations, as in Envoy; the log has it
    record_.total = session_.context().loop.Now() - record_.start_time;  // so far
    route::FinalizeResponse(match_, response_, record_);
    if (match_.route->virtual_host->include_attempt_count_in_response && record_.attempts > 0) {
      response_.headers.Set("x-envoy-attempt-count", std::to_string(record_.attempts));
    }
    whole.headers = std::move(response_.headers);
  }
  LocalAnswer answer = MakeLocalAnswer(whole, grpc_, head_.method == "HEAD");
  const bool empty = answer.body.empty();
  SendResponse(std::move(answer.head), empty);
  if (empty) return;
  Buffer body(answer.body);
  record_.bytes_sent += body.size();
  stream_.SendData(body, true);
  EndResponse();
}

void Exchange::ReplyFailure(Failure failure, const std::string& transport, bool retried) {
  const FailureFacts& facts = FactsOf(failure);
  CountFailure(failure);
  LocalReply reply{.status = facts.status, .body = BodyOf(failure, retried)};
  reply.close = failure == Failure::kUpgradeRefused || failure == Failure::kHttpsUrl;
  const bool late = failure == Failure::kStreamIdle || failure == Failure::kMaxStreamDuration;
  if (late && request_ended_) reply.status = 504;
  if (failure == Failure::kMaxStreamDuration) reply.grpc_status = kDeadlineExceeded;
  const bool upstream_late = failure == Failure::kResponseTimeout || failure == Failure::kPerTryTimeout;
  if (upstream_late && router_ && router_->late_is_no_content()) reply = {.status = 204};
  if (failure == Failure::kNoCluster && match_.route != nullptr && match_.route->action != nullptr) {
    reply.status = match_.route->action->cluster_not_found_status;
  }
  const bool inbound = session_.routing().table != nullptr;
  const io::TlsFacts* tls = session_.info().tls;
  if (inbound && failure == Failure::kConnectFailure && tls != nullptr && !tls->peer_identity.empty()) {
    reply.headers.Add(kUndeliveredHeader, "true");
  }
  if (failure == Failure::kOverflow && !config_->suppress_envoy_headers) {
    reply.headers.Add("x-envoy-overloaded", "true");
  }
  Reply(reply, facts.flag, DetailsOf(failure, transport));
}

void Exchange::CountFailure(Failure failure) const noexcept {
  if (const auto stat = StatOf(failure)) Count(*stat);
}

void Exchange::ReplyRedirect() {
  by_route_ = true;
  Count(HttpStat::kRqDirectResponse);
  route::Redirect redirect = route::MakeRedirect(match_, head_);
  LocalReply reply;
  reply.status = redirect.status;
  reply.headers.Add("location", redirect.location);
  Reply(reply, record::ResponseFlag::kNone, "direct_response");
}

void Exchange::ReplyDirect() {
  by_route_ = true;
  Count(HttpStat::kRqDirectResponse);
  LocalReply reply{.status = match_.route->direct_response->status, .body = match_.route->direct_body};
  if (TellsLocation(reply.status)) reply.headers.Add("location", route::DirectLocation(head_));
  Reply(reply, record::ResponseFlag::kNone, "direct_response");
}

void Exchange::Abort(Failure failure) {
  // An exchange that is complete but for a client that does not take its answer: it holds the stream and the bytes, and
  // the record already tells how it went.
  const bool complete = std::exchange(state_, State::kDone) == State::kDone && request_ended_;
  if (!complete) {
    record_.flags.Set(FactsOf(failure).flag);
    record_.response_details = DetailsOf(failure, record_.transport_failure, true);
  }
  CountFailure(failure);
  Count(HttpStat::kRqTxReset);
  stream_.Reset(http::ResetReason::kInternal);
}

void Exchange::OnRouterInformational(http::ResponseHead head) {
  Touch();
  const bool answered_by_us = head.status == 100 && !config_->xds.proxy_100_continue;
  if (answered_by_us || state_ != State::kRouted || record_.protocol == http::Version::kHttp10) return;
  RemoveHopByHop(head.headers, false);
  stream_.SendInformational(head);
}

void Exchange::OnRouterHead(http::ResponseHead head, bool end_stream) {
  Touch();
  record_.response_details = "via_upstream";
  grpc_response_ = grpc_ && http::IsGrpc(head.headers);
  if (const auto since = router_->SinceRequestEnd(); since && !config_->suppress_envoy_headers) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(*since);
    head.headers.Set("x-envoy-upstream-service-time", std::to_string(elapsed.count()));
  }
  if (match_.route->virtual_host->include_attempt_count_in_response) {
    head.headers.Set("x-envoy-attempt-count", std::to_string(record_.attempts));
  }
  if (!router_->set_cookie().empty()) head.headers.Add("set-cookie", router_->set_cookie());
  NoteResponse(std::move(head));
  record_.total = session_.context().loop.Now() - record_.start_time;  // so far
  route::FinalizeResponse(match_, response_, record_);
  SendResponse(std::move(response_), end_stream);
}

void Exchange::OnRouterData(Buffer& data, bool end_stream) {
  Touch();
  record_.bytes_sent += data.size();
  if (grpc_response_) record_.response_messages = response_messages_.Pass(data);
  stream_.SendData(data, end_stream);
  if (end_stream) return EndResponse();
  if (stream_.above_high_watermark()) router_->PauseResponse(true);
}

void Exchange::OnRouterTrailers(http::Headers trailers) {
  Touch();
  response_trailers_ = std::move(trailers);
  response_trailers_.RemovePrefix(kOfProxies);
  record_.response_trailers = &response_trailers_;
  stream_.SendTrailers(response_trailers_);
  EndResponse();
}

void Exchange::OnRouterFailed(Failure failure, const std::string& transport, bool retried) {
  if (state_ == State::kRouted) ReplyFailure(failure, transport, retried);
}

void Exchange::OnRouterBroken(Failure failure) { Abort(failure); }

}  // namespace plait::proxy::session
