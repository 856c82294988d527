#include "proxy/session/http_session.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/tls/stream.h"
#include "proxy/session/chain.h"
#include "proxy/session/decisions.h"
#include "proxy/session/ended_connection.h"
#include "proxy/session/exchange.h"
#include "proxy/session/handshake_stats.h"

namespace plait::proxy::session {

HttpSession::HttpSession(Context& context, std::shared_ptr<const HttpConfig> config, std::unique_ptr<io::Stream> stream,
                         record::ConnectionInfo info, HttpRouting routing, SessionOwner& owner, NetworkRbacs rbac)
    : context_(context),
      config_(std::move(config)),
      begun_under_(config_),
      info_(std::move(info)),
      routing_(std::move(routing)),
      rbac_(std::move(rbac)),
      owner_(owner),
      counts_(begun_under_->stats),
      connection_(context.loop, std::move(stream), begun_under_->connection, *this) {
  const Duration most = config_->xds.common.max_connection_duration.value_or(Duration(0));
  if (most > Duration(0)) {
    lifetime_.SetCallback([this] {
      counts_.Draining(record::HttpStat::kCxMaxDurationReached);
      Drain();
    });
    lifetime_.Start(context.loop.timers(), most);
  }
}

HttpSession::~HttpSession() = default;

void HttpSession::Drain() {
  if (context_.draining) return connection_.Drain();
  connection_.AnnounceDrain();
}

void HttpSession::Close(std::string_view reason) {
  finishing_ = false;
  closed_because_ = reason;
  connection_.Close(http::ResetReason::kConnectionClosed);
}

std::string HttpSession::Follow(const Chain& chain) {
  if (std::string why = ForbiddenBy(chain, info_); !why.empty()) return why;
  if (std::string why = FollowTrust(chain); !why.empty()) return why;
  if (const auto* http = std::get_if<std::shared_ptr<const HttpConfig>>(&chain.terminal)) {
    if (std::string why = DeniedBy(chain, info_, !counts_.opened()); !why.empty()) return why;
    config_ = *http;
  } else if (const auto* outbound = std::get_if<std::shared_ptr<const OutboundConfig>>(&chain.terminal)) {
    config_ = (*outbound)->http;
    if (routing_.outside) routing_.unknown_cluster = (*outbound)->xds.unknown_cluster;
  } else if (const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain.terminal)) {
    config_ = (*inbound)->http;
    routing_.table = InboundRoutes(**inbound, info_.local.port.value);
  }
  return {};
}

// A root that is taken away is mostly one that was replaced: what runs may end within the drain time. All else that is
// held against a client (it was revoked, it may not have its name any more) is about itself, and ends it at once.
std::string HttpSession::FollowTrust(const Chain& chain) {
  auto [why, root_gone] = DistrustedBy(chain, connection_.stream(), context_.downstream_tls);
  if (!root_gone || connection_.active_streams() == 0) return std::move(why);
  if (std::exchange(finishing_, true)) return {};  // its time runs
  closed_because_ = std::move(why);
  lifetime_.SetCallback([this] { Close(std::string(closed_because_)); });
  lifetime_.Start(context_.loop.timers(), context_.drain_time);
  connection_.Drain();
  return {};
}

void HttpSession::DrainIfAsked() {
  const std::uint32_t most = config_->xds.common.max_requests_per_connection.value_or(0);
  const bool used_up = most != 0 && requests_ >= most;
  if (!context_.draining && !context_.health_failed && !owner_.draining() && !used_up) return;
  counts_.Draining(used_up ? record::HttpStat::kCxMaxRequestsReached : record::HttpStat::kCxDrainClose);
  connection_.Drain();
}

HttpSession::Routes HttpSession::FindRoutes() const {
  if (routing_.table) return {routing_.table, {}};
  if (config_->routes) return {config_->routes, {}};
  const std::string& name = config_->rds_name.empty() ? routing_.rds_name : config_->rds_name;
  const auto found = context_.tables.routes.find(name);
  if (found == context_.tables.routes.end()) return {nullptr, name};
  return {found->second, {}};
}

std::shared_ptr<const route::RouteTable> HttpSession::RouteTo(const std::string& cluster) {
  if (single_route_ && single_route_->config().name == cluster) return single_route_;
  return single_route_ = MakeSingleRoute(cluster);
}

void HttpSession::NoteOpen() {
  // An intake that has terminated TLS has counted it.
  if (std::exchange(info_.tls, connection_.stream().tls()) == nullptr) CountHandshake(info_);
}

void HttpSession::OnConnectionOpen() {
  NoteOpen();
  counts_.Opened(connection_.version(), info_.tls != nullptr);
  if (!filters::CheckAll(rbac_, info_).allowed) return connection_.Close(http::ResetReason::kConnectionClosed);
  if (const std::string why = owner_.Refuse(*this); !why.empty()) Close(why);
}

http::ServerStreamEvents& HttpSession::OnNewStream(http::ServerStream& stream) {
  ++requests_;
  const bool http2 = connection_.version() == http::Version::kHttp2;
  stats().Add(http2 ? record::HttpStat::kRqHttp2Total : record::HttpStat::kRqHttp1Total);
  return *exchanges_.emplace_back(std::make_unique<Exchange>(*this, stream));
}

void HttpSession::Remove(Exchange& exchange) {
  const auto place =
      std::find_if(exchanges_.begin(), exchanges_.end(), [&](const auto& e) { return e.get() == &exchange; });
  PLAIT_CHECK(place != exchanges_.end());
  std::iter_swap(place, exchanges_.end() - 1);
  context_.loop.DeleteLater(std::move(exchanges_.back()));
  exchanges_.pop_back();
  counts_.Bytes(connection_.bytes_read(), connection_.bytes_written());
}

void HttpSession::OnHeadTimedOut() {
  const Failure failure = begun_under_->head_limit;
  if (const auto stat = StatOf(failure)) stats().Add(*stat);
  record::ResponseFlags flags;
  flags.Set(FactsOf(failure).flag);
  RecordOwnAnswer(FactsOf(failure).details, flags);
}

// The codec has answered bytes that never became a request; they leave a line in the log as in Envoy.
void HttpSession::RecordOwnAnswer(std::string_view details, record::ResponseFlags flags) {
  const http::RequestHead none;
  record::StreamRecord record;
  record.connection = &info_;
  record.start = context_.loop.clock().Wall();
  record.start_time = context_.loop.Now();
  record.remote = info_.remote;
  record.request = &none;
  record.protocol = connection_.version();
  const http::OwnAnswer answer = connection_.own_answer();
  record.response_code = answer.status;
  record.bytes_sent = answer.body_bytes;
  record.flags = flags;
  record.response_details = details;
  record.total = Duration(0);
  stats().Add(record::HttpStat::kRqTotal);
  stats().Add(record.protocol == http::Version::kHttp2 ? record::HttpStat::kRqHttp2Total
                                                       : record::HttpStat::kRqHttp1Total);
  if (answer.status != 0) stats().Completed(answer.status);
  context_.recorder.RequestEnded(record, config_->logs.get());
}

// The whole connection's line in the log of its listener; each request has one of its own in the connection manager's.
void HttpSession::RecordConnection() {
  // A connection that is closed between its requests, or after them, has nobody else to tell why.
  const record::AccessLogs* logs = closed_because_.empty() || cut_off_ ? nullptr : config_->logs.get();
  if (info_.listener_logs == nullptr && logs == nullptr) return;
  const http::RequestHead none;
  record::StreamRecord record = EndedNow(info_, context_);
  if (requests_ > 0 || broken_message_recorded_) record.request = &none;  // a protocol was spoken
  record.protocol = connection_.version();
  record.bytes_received = connection_.bytes_read();
  record.bytes_sent = connection_.bytes_written();
  record.downstream_transport_failure = tls::FailureOf(connection_.stream());
  if (!closed_because_.empty() && !(finishing_ && cut_off_)) {  // which the client did
    record.flags.Set(record::ResponseFlag::kLocalReset);
    record.termination_details = closed_because_;
  }
  context_.recorder.OtherConnectionEnded(record, logs);
}

void HttpSession::OnConnectionClosed(const Error& why) {
  lifetime_.Cancel();
  // In HTTP/2 a broken connection is no request; each request that it cuts off tells of it.
  const bool broken = why.code == Errc::kInvalidInput || why.code == Errc::kLimit;
  if (broken && !broken_message_recorded_ && connection_.version() != http::Version::kHttp2) {
    record::ResponseFlags flags;
    flags.Set(record::ResponseFlag::kDownstreamProtocolError);
    RecordOwnAnswer(why.detail, flags);
  }
  const std::string failure = counts_.opened() ? std::string() : tls::FailureOf(connection_.stream());
  if (!counts_.opened() && failure.empty()) NoteOpen();
  CountFailedHandshake(info_, failure);
  counts_.Bytes(connection_.bytes_read(), connection_.bytes_written());
  counts_.Ended({.why = why,
                 .cut_off = cut_off_,
                 .handshake_failed = !failure.empty(),
                 .lasted = context_.loop.Now() - info_.accepted});
  RecordConnection();
  owner_.OnSessionEnded(*this);
}

}  // namespace plait::proxy::session
