#include "proxy/session/router.h"

#include <algorithm>
#include <utility>

#include "core/base/strings.h"
#include "proxy/session/request_orders.h"
#include "proxy/session/tcp_connect.h"

namespace plait::proxy::session {
namespace {
using cluster::ClusterStat;

void AppendCopy(Buffer& to, const Buffer& from) {
  for (std::size_t copied = 0; copied < from.size();) {
    const std::size_t piece = from.CopyOut(to.Reserve(), copied);
    to.Commit(piece);
    copied += piece;
  }
}

std::string MillisecondsText(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

const xds::RetryPolicy& NoRetries() {
  static const xds::RetryPolicy none;
  return none;
}

// The most specific list that is not empty: route, virtual host, route configuration.
const std::vector<xds::MirrorPolicy>& MirrorsOf(const route::RouteMatch& match) {
  if (!match.route->action->mirrors.empty()) return match.route->action->mirrors;
  const auto& of_host = match.route->virtual_host->mirrors;
  return of_host.empty() ? match.table->config().mirrors : of_host;
}

// Of a body that may have to be sent again.
constexpr std::size_t kMostRetained = 1024 * 1024;

}  // namespace

Router::Router(Context& context, const HttpConfig& config, RouterEvents& events, Request request)
    : context_(context),
      config_(config),
      events_(events),
      request_(request),
      action_(*request.match.route->action),
      handshake_(EqualsIgnoreCase(request.head.protocol, "websocket")) {
  response_timer_.SetCallback([this] { OnResponseTimeout(); });
  attempt_timer_.SetCallback([this] {
    if (state_ == State::kBackOff) {
      BeginAttempt();
    } else {
      OnAttemptTimeout(Failure::kPerTryTimeout);
    }
  });
  attempt_idle_.SetCallback([this] { OnAttemptTimeout(Failure::kPerTryIdleTimeout); });
  attempt_life_.SetCallback([this] { OnAttemptTimeout(Failure::kUpstreamStreamDuration); });
}

Router::~Router() {
  state_ = State::kDone;
  EndAttempt(http::ResetReason::kCancel);
}

void Router::Start(bool end_stream) {
  head_only_ = end_stream;
  if (end_stream) EndRequest();
  const std::string& name = request_.match.cluster;
  if (context_.clusters.Find(name) != nullptr) return OnCluster();
  if (context_.static_only) return Fail(Failure::kNoCluster);  // nothing is on its way
  waiting_ = context_.on_demand.NeedCluster(name, context_.warming_limit, [this](bool ready) {
    if (!ready || context_.clusters.Find(request_.match.cluster) == nullptr) return Fail(Failure::kNoCluster);
    OnCluster();
  });
}

void Router::OnCluster() {
  cluster_ = context_.clusters.Find(request_.match.cluster)->cluster();
  request_.record.cluster_name = request_.match.cluster;  // known only now: a cluster that is missing is not shown
  request_.record.endpoints = cluster_;
  request_.record.cluster = cluster_->config;
  SetTimeouts();
  const xds::RetryPolicy& policy = request_.match.route->retry != nullptr ? *request_.match.route->retry : NoRetries();
  retry_.emplace(policy, request_.head);
  late_is_no_content_ = request_.head.headers.Has("x-envoy-upstream-rq-timeout-alt-response");
  if (request_.record.internal) RemoveOrders(request_.head.headers);
  const xds::LbPolicy policy_of_hosts = cluster_->config->lb.policy;
  const bool hashes = policy_of_hosts == xds::LbPolicy::kRingHash || policy_of_hosts == xds::LbPolicy::kMaglev;
  // Elsewhere a hash means nothing, and a client needs no cookie for it.
  if (hashes && !action_.hash.empty())
    hash_ = route::RequestHash(request_.match, request_.head, request_.record, &set_cookie_);
  SetAttemptHeaders(1);
  // To operators in header mutations: the first attempt, which begins below, and the time so far.
  request_.record.attempts = 1;
  request_.record.total = context_.loop.Now() - request_.record.start_time;
  route::FinalizeRequest(request_.match, request_.head, request_.record, !config_.suppress_envoy_headers);
  request_.record.attempts = 0;
  const std::uint32_t limit = request_.match.route->config->per_request_buffer_limit.value_or(
      request_.match.route->virtual_host->per_request_buffer_limit.value_or(
          cluster_->config->per_connection_buffer_limit));
  body_limit_ = std::min<std::size_t>(limit, kMostRetained);
  retain_ = retry_->enabled();
  StartMirrors();
  BeginAttempt();
}

void Router::StartMirrors() {
  for (const xds::MirrorPolicy& policy : MirrorsOf(request_.match)) {
    if (context_.random.Below(1'000'000) >= policy.fraction.per_million) continue;
    auto mirror = std::make_unique<Mirror>(context_, policy, request_.head, timeout_);
    mirror->Start(head_only_);
    if (const bool last = request_ended_ && !trailers_; !head_only_ && (last || !body_.empty())) {
      Buffer copy;
      AppendCopy(copy, body_);  // what came while the cluster was awaited
      mirror->SendData(copy, last);
    }
    if (trailers_) mirror->SendTrailers(*trailers_);
    if (request_ended_) {
      Mirror::LetGo(std::move(mirror));
    } else {
      mirrors_.push_back(std::move(mirror));
    }
  }
}

void Router::SetTimeouts() {
  http::Headers& headers = request_.head.headers;
  timeout_ = request_.match.route->timeout;
  const auto& stream_limit = action_.max_stream_duration;
  if (stream_limit) timeout_ = Duration(0);
  const auto& most = stream_limit ? stream_limit->grpc_timeout_header_max : action_.max_grpc_timeout;
  if (most && http::IsGrpc(headers)) {
    // The call's own deadline, at most the configured one (0: whatever the call says).
    Duration asked = GrpcTimeoutOf(headers).value_or(Duration(0));
    const bool capped = *most > Duration(0) && (asked == Duration(0) || asked > *most);
    if (capped) asked = *most;
    call_deadline_ = asked > Duration(0) && (stream_limit || !capped);
    const Duration offset = stream_limit ? stream_limit->grpc_timeout_header_offset.value_or(Duration(0)) : Duration(0);
    if (asked > offset) asked -= offset;
    timeout_ = asked;
  }
  const auto expected =
      config_.respect_expected_rq_timeout ? MillisecondsOf(headers, "x-envoy-expected-rq-timeout-ms") : std::nullopt;
  if (expected) {
    timeout_ = *expected;
  } else if (const auto own = MillisecondsOf(headers, "x-envoy-upstream-rq-timeout-ms")) {
    timeout_ = *own;
    call_deadline_ = false;
  }
  headers.Remove("x-envoy-upstream-rq-timeout-ms");
  if (request_.match.route->retry != nullptr) {
    per_try_timeout_ = request_.match.route->retry->per_try_timeout.value_or(Duration(0));
    per_try_idle_timeout_ = request_.match.route->retry->per_try_idle_timeout.value_or(Duration(0));
  }
  if (const auto own = MillisecondsOf(headers, "x-envoy-upstream-rq-per-try-timeout-ms")) per_try_timeout_ = *own;
  headers.Remove("x-envoy-upstream-rq-per-try-timeout-ms");
  attempt_duration_ = MillisecondsOf(headers, "x-envoy-upstream-stream-duration-ms").value_or(Duration(0));
  headers.Remove("x-envoy-upstream-stream-duration-ms");
  if (timeout_ > Duration(0) && per_try_timeout_ >= timeout_) per_try_timeout_ = Duration(0);
  if ((request_ended_ || handshake_) && timeout_ > Duration(0)) response_timer_.Start(context_.loop.timers(), timeout_);
}

lb::PickContext Router::MakePickContext(const xds::Cluster& config) {
  io::SocketAddress destination = request_.record.connection->local;
  if (config.original_dst && config.original_dst->use_http_header) {
    const std::string& name = config.original_dst->http_header_name;
    const auto text = request_.head.headers.Get(name.empty() ? "x-envoy-original-dst-host" : name);
    if (const auto address = io::SocketAddress::Parse(text.value_or(""))) destination = *address;
  }
  lb::PickContext pick = PickForDestination(context_.index, config, destination, index_identity_);
  pick.hash = hash_;
  if (request_.match.route->retry != nullptr && request_.match.route->retry->avoid_previous_hosts) {
    pick.tried = tried_;
    pick.attempts = request_.match.route->retry->host_selection_max_attempts;
  }
  return pick;
}

void Router::BeginAttempt() {
  state_ = State::kAttempt;
  if (++request_.record.attempts > 1) SetAttemptHeaders(request_.record.attempts);
  cluster::WorkerCluster* worker_cluster = context_.clusters.Find(request_.match.cluster);
  if (worker_cluster == nullptr) return Fail(Failure::kNoCluster);
  cluster_ = worker_cluster->cluster();
  request_.record.endpoints = cluster_;
  const cluster::Picked picked = worker_cluster->Pick(MakePickContext(*cluster_->config));
  if (picked.host == nullptr) {
    cluster_->state->Add(ClusterStat::kUpstreamCxNoneHealthy);
    return Fail(Failure::kNoHealthyUpstream, cluster_->config->refused_by);
  }
  request_.record.host = picked.host;
  // What an earlier attempt's connection has shown says nothing of this host, which may never be reached.
  request_.record.upstream_local.reset();
  request_.record.upstream_identity.clear();
  request_.record.own_identity.clear();
  const upstream::Application application = upstream::ApplicationFor(*cluster_->config, request_.record.protocol);
  const Result<upstream::HttpPool*> pool = context_.pools.For(cluster_, picked.host, application, action_.priority,
                                                              upstream::ServerNameOf(*cluster_->config, request_.head));
  if (!pool) return OnAttemptFailed(Failure::kConnectFailure, pool.error().detail);
  attempt_ = std::make_unique<Attempt>(context_.orphans, *this, cluster_, picked.host, action_.priority,
                                       &request_.record.upstream_bytes);
  if (const auto started = attempt_->Start(**pool); !started) return OnAttemptFailed(started.error(), "");
  if (attempt_->open()) SendRequest();
}

void Router::OnAttemptOpen() { SendRequest(); }

// What an attempt says of itself. Those of the first are set before the route changes fields, so it may use and remove
// them, as in Envoy.
void Router::SetAttemptHeaders(std::uint32_t attempt) {
  http::Headers& headers = request_.head.headers;
  Duration expected = per_try_timeout_;
  if (expected == Duration(0) && timeout_ > Duration(0)) {
    // A retry has only what is left.
    expected = timeout_ - (attempt > 1 ? SinceRequestEnd().value_or(Duration(0)) : Duration(0));
  }
  if (!config_.suppress_envoy_headers && expected > Duration(0)) {
    headers.Set("x-envoy-expected-rq-timeout-ms", MillisecondsText(expected));
  }
  if (request_.match.route->virtual_host->include_request_attempt_count) {
    headers.Set("x-envoy-attempt-count", std::to_string(attempt));
  }
}

void Router::SendRequest() {
  NoteUpstream(request_.record, attempt_->connection()->stream());
  request_.record.upstream_protocol = attempt_->connection()->version();
  route::ApplyAutoHost(request_.match, attempt_->host()->facts().hostname, !config_.suppress_envoy_headers,
                       request_.head);
  if (!request_.record.upstream_first_sent) {
    request_.record.upstream_first_sent = context_.loop.Now() - request_.record.start_time;
  }
  if (attempt_duration_ > Duration(0)) attempt_life_.Start(context_.loop.timers(), attempt_duration_);
  if (request_ended_ || handshake_) StartPerTryTimeouts();
  attempt_->SendHead(request_.head, head_only_);
  if (head_only_) NoteRequestSent();
  if (!head_only_) SendBody();
  if (!retry_->enabled()) retain_ = false;
}

void Router::SendBody() {
  Buffer data;
  if (retain_) {
    AppendCopy(data, body_);
  } else {
    data.MoveFrom(body_);
  }
  const bool last = request_ended_ && !trailers_;
  if (!data.empty() || last) attempt_->SendData(data, last);
  if (trailers_) attempt_->SendTrailers(*trailers_);
  if (last || trailers_) NoteRequestSent();
  events_.OnRouterFull(attempt_->above_high_watermark());
}

void Router::EndRequest() {
  request_ended_ = true;
  request_end_ = context_.loop.Now();
  if (handshake_ || state_ == State::kCluster || state_ == State::kDone) return;
  if (timeout_ > Duration(0)) response_timer_.Start(context_.loop.timers(), timeout_);
  if (state_ == State::kAttempt && attempt_ != nullptr && attempt_->head_sent()) StartPerTryTimeouts();
}

// From the end of the request on: how long a client takes to send its body is nothing that an upstream could do better.
void Router::StartPerTryTimeouts() {
  if (per_try_timeout_ > Duration(0)) attempt_timer_.Start(context_.loop.timers(), per_try_timeout_);
  if (per_try_idle_timeout_ > Duration(0)) attempt_idle_.Start(context_.loop.timers(), per_try_idle_timeout_);
}

void Router::SendData(Buffer& data, bool end_stream) {
  if (end_stream) EndRequest();
  for (std::unique_ptr<Mirror>& mirror : mirrors_) {
    Buffer copy;
    AppendCopy(copy, data);
    mirror->SendData(copy, end_stream);
    if (end_stream) Mirror::LetGo(std::move(mirror));
  }
  if (end_stream) mirrors_.clear();
  if (state_ == State::kDone) return data.Clear();
  const bool sending = attempt_ != nullptr && attempt_->open() && attempt_->head_sent();
  if (sending && retain_ && body_.size() + data.size() <= body_limit_) {
    AppendCopy(body_, data);
  } else if (sending && retain_) {
    // Too much to send again: this attempt is the last one.
    retain_ = false;
    body_.Clear();
  }
  if (!sending) {
    body_.MoveFrom(data);
    if (body_.size() >= body_limit_) events_.OnRouterFull(true);
    return;
  }
  attempt_->SendData(data, end_stream);
  if (end_stream) NoteRequestSent();
  if (attempt_->above_high_watermark()) events_.OnRouterFull(true);
}

void Router::SendTrailers(http::Headers trailers) {
  EndRequest();
  for (std::unique_ptr<Mirror>& mirror : mirrors_) {
    mirror->SendTrailers(trailers);
    Mirror::LetGo(std::move(mirror));
  }
  mirrors_.clear();
  if (state_ == State::kDone) return;
  trailers_ = std::move(trailers);
  if (attempt_ != nullptr && attempt_->open() && attempt_->head_sent()) {
    attempt_->SendTrailers(*trailers_);
    NoteRequestSent();
  }
}

std::optional<Duration> Router::SinceRequestEnd() const noexcept {
  return request_ended_ ? std::optional(context_.loop.Now() - request_end_) : std::nullopt;
}

void Router::NoteRequestSent() {
  request_.record.upstream_last_sent = context_.loop.Now() - request_.record.start_time;
}

// Starts the attempt's idle time anew.
void Router::TouchAttempt() {
  if (attempt_idle_.armed()) attempt_idle_.Start(context_.loop.timers(), per_try_idle_timeout_);
}

}  // namespace plait::proxy::session
