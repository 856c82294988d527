#include "proxy/session/exchange.h"

#include <utility>

#include "core/base/strings.h"
#include "core/http/date.h"
#include "proxy/record/trace.h"
#include "proxy/session/decisions.h"
#include "proxy/session/http_session.h"

namespace plait::proxy::session {

using record::HttpStat;

namespace {
// Body that may wait for routes and filters.
constexpr std::size_t kMostHeld = 64 * 1024;
}  // namespace

Exchange::Exchange(HttpSession& session, http::ServerStream& stream)
    : session_(session), config_(session.config()), stream_(stream) {
  Context& context = session.context();
  record_.connection = &session.info();
  record_.start_time = session.head_began();
  record_.start = context.loop.clock().Wall() - (context.loop.Now() - record_.start_time);
  record_.request = &head_;
  record_.remote = session.info().remote;
  last_activity_ = context.loop.Now();
  idle_.SetCallback([this] { OnIdle(); });
  deadline_.SetCallback([this] { OnDeadline(); });
  Count(HttpStat::kRqTotal);
  session.stats().AddGauge(HttpStat::kRqActive, 1);
}

Exchange::~Exchange() = default;

void Exchange::Count(HttpStat stat) const noexcept { session_.stats().Add(stat); }

void Exchange::OnRequestHead(http::RequestHead head, bool end_stream) {
  // On its way before the client heard that the connection ends, or from one that does not care.
  if (session_.finishing()) return Refuse(std::move(head));
  const HttpConfig& config = *config_;
  io::TimerWheel& timers = session_.context().loop.timers();
  head_ = std::move(head);
  request_ended_ = end_stream;
  record_.protocol = head_.version;
  record_.request_header_bytes = head_.headers.byte_size();
  grpc_ = http::IsGrpc(head_.headers);
  if (end_stream) record_.request_received = session_.context().loop.Now() - record_.start_time;
  head_ended_ = end_stream;
  idle_timeout_ = config.stream_idle_timeout;
  lifetime_ = config.max_stream_duration;
  if (idle_timeout_ > Duration(0)) idle_.Start(timers, idle_timeout_);
  StartDeadline();
  if (Prepare()) FindRoutes();
}

void Exchange::Refuse(http::RequestHead head) {
  state_ = State::kDone;
  head_ = std::move(head);
  record_.protocol = head_.version;
  record_.request_header_bytes = head_.headers.byte_size();
  record_.flags.Set(record::ResponseFlag::kLocalReset);
  record_.response_details = session_.closed_because();
  Count(HttpStat::kRqTxReset);
  stream_.Reset(http::ResetReason::kRefused);
}

bool Exchange::Prepare() {
  const HttpConfig& config = *config_;
  if (EqualsIgnoreCase(head_.protocol, "h2c")) head_.protocol.clear();  // never upgraded; the request stands as it is
  if (head_.authority.empty()) {
    if (head_.version == http::Version::kHttp11) return ReplyFailure(Failure::kMissingHost), false;
    head_.authority = session_.routing().destination_hostname;
    if (head_.authority.empty() && head_.version == http::Version::kHttp10) {
      head_.authority = config.xds.http1.default_host_for_http_10;
      const bool captured = !session_.routing().rds_name.empty() || session_.routing().table != nullptr;
      if (head_.authority.empty() && captured) head_.authority = session_.info().local.ToString();
    }
    if (head_.authority.empty()) return ReplyFailure(Failure::kMissingHost), false;
  }
  const bool edge = config.xds.use_remote_address && config.xds.xff_num_trusted_hops == 0;
  if (edge && head_.scheme == "https" && head_.version != http::Version::kHttp2 && session_.info().tls == nullptr) {
    // The URL claims what the connection does not keep. As in Envoy the log tells nothing of such a request.
    head_ = http::RequestHead{.version = head_.version};
    return ReplyFailure(Failure::kHttpsUrl), false;
  }
  // "OPTIONS *" asks about this proxy: no route, and no filter that judges paths, ever sees it.
  if (!head_.path.empty() && head_.path.front() != '/') return ReplyFailure(Failure::kAbsolutePath), false;
  if (head_.headers.HasToken("expect", "100-continue") && !config.xds.proxy_100_continue &&
      head_.version != http::Version::kHttp10) {
    head_.headers.Remove("expect");
    http::ResponseHead go_on;
    go_on.status = 100;
    stream_.SendInformational(go_on);
  }
  const EdgePeer peer{session_.info().remote, session_.info().tls, session_.info().local.port.value};
  const EdgeResult prepared = PrepareRequest(config.xds, peer, head_);
  record_.remote.ip = prepared.remote;
  if (prepared.remote != session_.info().remote.ip) record_.remote.port = Port{};
  record_.internal = prepared.internal;
  if (prepared.verdict == EdgeVerdict::kContinue) {
    request_id_ = head_.headers.Get("x-request-id").value_or("");
    if (const auto& tracing = config.xds.tracing)
      record::PropagateTrace(head_.headers, tracing->random_sampling * tracing->overall_sampling / 100,
                             session_.context().random);
  }
  switch (prepared.verdict) {
    case EdgeVerdict::kContinue: return true;
    case EdgeVerdict::kBadPath: return ReplyFailure(Failure::kBadPath), false;
    case EdgeVerdict::kRedirectPath: break;
  }
  LocalReply redirect;
  redirect.status = 307;
  redirect.headers.Add("location", head_.path);
  Count(HttpStat::kRqRedirectedWithNormalizedPath);
  Reply(redirect, record::ResponseFlag::kNone, "path_normalization_failed");
  return false;
}

void Exchange::FindRoutes() {
  HttpSession::Routes found = session_.FindRoutes();
  if (found.missing.empty()) return MatchRoute();
  Pause(true);
  waiting_ = session_.context().on_demand.NeedRoutes(std::move(found.missing), session_.context().warming_limit,
                                                     [this](bool /*ready*/) {
                                                       if (state_ != State::kRoutes) return;  // was answered meanwhile
                                                       const bool missing = !session_.FindRoutes().missing.empty();
                                                       if (missing && !session_.context().static_only)
                                                         return ReplyFailure(Failure::kRoutesTimeout);
                                                       MatchRoute();
                                                     });
}

void Exchange::MatchRoute() {
  state_ = State::kFilters;
  const HttpRouting& routing = session_.routing();
  const std::shared_ptr<const route::RouteTable> table = session_.FindRoutes().table;
  const route::MatchInput input{.random = session_.context().random.Next(),
                                .forwarded_proto = head_.headers.Get("x-forwarded-proto").value_or("http"),
                                .external = !record_.internal,
                                .peer = session_.info().tls};
  if (table != nullptr && !record_.internal) {
    for (const std::string& name : table->internal_only_headers()) head_.headers.Remove(name);
  }
  match_ = ChooseRoute(routing, table.get(), head_, input,
                       [this](const std::string& cluster) { return session_.RouteTo(cluster); });
  if (match_.route != nullptr) record_.route_name = match_.route->config->name;
  if (match_.route != nullptr && match_.route->action != nullptr) FollowRouteTimes(*match_.route->action);
  NoteCluster();
  if (config_->xds.tracing) {
    const bool outbound = session_.info().direction == record::Direction::kOutbound;
    operation_ = PrepareOperation(outbound, RouteConfig(), head_.headers);
  }
  filters_ = filter::RequestFilters(config_->filters);
  resume_ = [this](filter::Verdict verdict) {
    if (state_ != State::kFilters) return;  // was answered meanwhile, or the client has gone
    if (std::holds_alternative<filter::Continue>(verdict)) return RunFilters();
    OnVerdict(std::move(verdict));
  };
  RunFilters();
}

const xds::Route* Exchange::RouteConfig() const noexcept {
  return match_.route != nullptr ? match_.route->config : nullptr;
}

// What the route says of the stream's own time limits instead of the connection manager.
void Exchange::FollowRouteTimes(const xds::RouteAction& action) {
  io::TimerWheel& timers = session_.context().loop.timers();
  if (action.idle_timeout) {
    idle_timeout_ = *action.idle_timeout;
    idle_.Cancel();
    if (idle_timeout_ > Duration(0)) idle_.Start(timers, idle_timeout_);
  }
  if (!action.max_stream_duration || !action.max_stream_duration->max_stream_duration) return;
  lifetime_ = *action.max_stream_duration->max_stream_duration;
  StartDeadline();
}

std::pair<Duration, Failure> Exchange::NextLimit() const noexcept {
  const Duration request = config_->request_timeout;
  const bool coming = !request_ended_ && state_ != State::kResponding && state_ != State::kDone;
  const bool first = lifetime_ == Duration(0) || request < lifetime_;
  if (coming && request > Duration(0) && first) return {request, Failure::kRequestTimeout};
  return {lifetime_, Failure::kMaxStreamDuration};
}

void Exchange::StartDeadline() {
  deadline_.Cancel();
  const Context& context = session_.context();
  const Duration limit = NextLimit().first;
  if (limit > Duration(0)) deadline_.Start(context.loop.timers(), limit - (context.loop.Now() - record_.start_time));
}

// Whom the request is meant for, also when a filter refuses it. A cluster that is not there is not shown, as in Envoy.
void Exchange::NoteCluster() {
  record_.route_cluster = match_.cluster;
  const cluster::WorkerCluster* worker_cluster = session_.context().clusters.Find(match_.cluster);
  if (worker_cluster == nullptr) return;
  record_.cluster_name = match_.cluster;
  record_.endpoints = worker_cluster->cluster();
  record_.cluster = record_.endpoints->config;
}

filter::RequestView Exchange::View() {
  return {head_, record_, match_.cluster, session_.context().loop, session_.context().random};
}

void Exchange::RunFilters() { OnVerdict(filters_.Run(View(), match_.overrides(), resume_)); }

void Exchange::OnVerdict(filter::Verdict verdict) {
  if (std::holds_alternative<filter::Pause>(verdict)) return Pause(true);
  if (std::holds_alternative<filter::Continue>(verdict)) return Dispatch();
  filter::Reply& reply = std::get<filter::Reply>(verdict);
  Reply({.status = reply.status,
         .body = std::move(reply.body),
         .headers = std::move(reply.headers),
         .grpc_status = reply.grpc_status.value_or(UINT32_MAX)},
        reply.flag, std::move(reply.details));
}

void Exchange::Dispatch() {
  const xds::RouteAction* action = match_.route != nullptr ? match_.route->action : nullptr;
  const bool refused = action != nullptr && !head_.protocol.empty() &&
                       !AllowsUpgrade(config_->xds.upgrades, &action->upgrades, head_.protocol);
  if (!refused) Count(HttpStat::kRqRouted);  // Envoy's router never sees the others
  if (match_.requires_tls_redirect) return ReplyRedirect();
  if (match_.route == nullptr) return ReplyFailure(Failure::kNoRoute);
  if (match_.route->redirect != nullptr) return ReplyRedirect();
  if (match_.route->direct_response != nullptr) return ReplyDirect();
  if (action == nullptr) return ReplyFailure(Failure::kNoCluster);  // non_forwarding_action
  if (refused) return ReplyFailure(Failure::kUpgradeRefused);
  state_ = State::kRouted;
  RouterEvents& events = *this;
  router_.emplace(session_.context(), *config_, events, Router::Request{head_, record_, match_});
  Pause(false);
  router_->Start(head_ended_);
  if (head_ended_ || state_ == State::kDone) return;
  const bool last = request_ended_ && !held_trailers_;
  if (!held_.empty() || last) router_->SendData(held_, last);
  if (held_trailers_) router_->SendTrailers(*std::move(held_trailers_));
}

void Exchange::OnData(Buffer& data, bool end_stream) {
  Touch();
  record_.bytes_received += data.size();
  if (grpc_) record_.request_messages = request_messages_.Pass(data);
  if (end_stream) {
    request_ended_ = true;
    record_.request_received = session_.context().loop.Now() - record_.start_time;
    if (lifetime_ == Duration(0)) deadline_.Cancel();
  }
  if (router_) return router_->SendData(data, end_stream);
  // Without a router the request waits, or was answered already: then the rest of it is read and dropped.
  if (state_ == State::kResponding || state_ == State::kDone) return;
  held_.MoveFrom(data);
  if (held_.size() >= kMostHeld) Pause(true);
}

void Exchange::OnTrailers(http::Headers trailers) {
  Touch();
  trailers.RemovePrefix(kOfProxies);
  request_ended_ = true;
  record_.request_received = session_.context().loop.Now() - record_.start_time;
  if (router_) return router_->SendTrailers(std::move(trailers));
  held_trailers_ = std::move(trailers);
}

void Exchange::Pause(bool paused) {
  if (std::exchange(paused_, paused) != paused) stream_.PauseReading(paused);
}

void Exchange::Touch() noexcept { last_activity_ = session_.context().loop.Now(); }

void Exchange::OnBelowLowWatermark() {
  Touch();  // the client takes its answer
  if (router_) router_->PauseResponse(false);
}

void Exchange::OnReset(http::ResetReason reason) {
  waiting_ = Pending();
  if (state_ != State::kDone) {
    Count(HttpStat::kRqRxReset);
    RecordReset(reason);
  }
  state_ = State::kDone;
  router_.reset();
}

void Exchange::RecordReset(http::ResetReason reason) {
  using record::ResponseFlag;
  switch (reason) {
    case http::ResetReason::kProtocol:
    case http::ResetReason::kFlowControl:
    case http::ResetReason::kInternal: {
      const http::OwnAnswer answer = session_.TakeBrokenMessage();
      if (answer.status != 0) record_.response_code = answer.status;
      if (answer.status != 0) session_.stats().Completed(answer.status);
      record_.bytes_sent += answer.body_bytes;
      record_.flags.Set(ResponseFlag::kDownstreamProtocolError);
      record_.response_details = stream_.details();
      if (!record_.response_details.empty()) break;
      record_.response_details =
          record_.protocol == http::Version::kHttp2 ? "http2.violation.of.messaging.rule" : "http1.codec_error";
      break;
    }
    case http::ResetReason::kCancel:
    case http::ResetReason::kRefused:
      record_.flags.Set(ResponseFlag::kDownstreamRemoteReset);
      record_.response_details = "http2.remote_reset";
      break;
    default:
      session_.NoteCutOff();
      if (const std::string& why = session_.closed_because(); !why.empty() && !session_.finishing()) {
        record_.flags.Set(ResponseFlag::kLocalReset);
        record_.response_details = why;
        break;
      }
      record_.flags.Set(ResponseFlag::kDownstreamConnectionTermination);
      record_.response_details = "downstream_remote_disconnect";
      break;
  }
}

void Exchange::OnStreamClosed() {
  idle_.Cancel();
  deadline_.Cancel();
  state_ = State::kDone;
  router_.reset();
  record_.total = session_.context().loop.Now() - record_.start_time;
  session_.stats().AddGauge(HttpStat::kRqActive, -1);
  session_.stats().Record(HttpStat::kRqTime, std::chrono::duration<double, std::milli>(*record_.total).count());
  session_.context().recorder.RequestEnded(record_, config_->logs.get());
  session_.Remove(*this);
}

void Exchange::OnIdle() {
  Context& context = session_.context();
  const Duration quiet = context.loop.Now() - last_activity_;
  if (quiet < idle_timeout_) return idle_.Start(context.loop.timers(), idle_timeout_ - quiet);
  EndInTime(Failure::kStreamIdle);
}

void Exchange::OnDeadline() {
  const auto [limit, failure] = NextLimit();
  const Duration age = session_.context().loop.Now() - record_.start_time;
  if (limit == Duration(0) || age < limit) return StartDeadline();  // the request has come in time, or is answered
  EndInTime(failure);
}

void Exchange::EndInTime(Failure failure) {
  if (state_ == State::kResponding || state_ == State::kDone) return Abort(failure);
  router_.reset();  // an upstream that answers later must not answer a second time
  ReplyFailure(failure);
}

}  // namespace plait::proxy::session
