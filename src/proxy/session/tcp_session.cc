#include "proxy/session/tcp_session.h"

#include <algorithm>
#include <utility>

#include "core/tls/facts.h"
#include "core/tls/stream.h"
#include "proxy/lb/hash.h"
#include "proxy/record/access_log.h"
#include "proxy/session/chain.h"
#include "proxy/session/handshake_stats.h"
#include "proxy/session/prefixed_stream.h"

namespace plait::proxy::session {
namespace {
// Istio's tcp_reporting_duration.
constexpr Duration kReportEvery = std::chrono::seconds(15);

// The host of this connection in the present snapshot of its cluster; null: it is there no longer. A host names its TLS
// settings by an index into those of its own configuration.
const cluster::Host* HostIn(const cluster::Cluster& now, const UpstreamConnection& upstream) {
  const cluster::Host& host = *upstream.host();
  // Hosts of ORIGINAL_DST stand in no snapshot; the worker's outlive changes of their cluster.
  if (now.config == upstream.cluster()->config || now.config->type == xds::Cluster::Type::kOriginalDst) return &host;
  for (const cluster::PriorityHosts& priority : now.priorities) {
    for (const cluster::HostPtr& one : priority.all) {
      if (one->address() == host.address() && one->facts().identity == host.facts().identity) return one.get();
    }
  }
  return nullptr;
}
}  // namespace

Outcome<std::shared_ptr<const TcpConfig>> CompileTcp(const xds::TcpProxy& xds, const Compilation& into) {
  auto config = std::make_shared<TcpConfig>();
  config->xds = xds;
  config->stats = std::make_shared<const record::TcpStats>(into.registry, xds.stat_prefix);
  if (!xds.access_logs.empty()) {
    auto compiled = record::AccessLogs::Compile(xds.access_logs, into.logs);
    if (!compiled) return std::unexpected(compiled.error());
    config->logs = std::move(*compiled);
  }
  config->relay.idle_timeout = xds.idle_timeout.value_or(std::chrono::hours(1));
  config->relay.max_duration = xds.max_downstream_connection_duration.value_or(Duration(0));
  return config;
}

std::string ChooseCluster(const std::vector<xds::L4WeightedCluster>& clusters, std::uint64_t random) {
  if (clusters.size() == 1) return clusters.front().name;
  std::uint64_t sum = 0;
  for (const xds::L4WeightedCluster& cluster : clusters) sum += cluster.weight;
  if (sum == 0) return {};
  std::uint64_t left = random % sum;
  for (const xds::L4WeightedCluster& cluster : clusters) {
    if (left < cluster.weight) return cluster.name;
    left -= cluster.weight;
  }
  return {};
}

TcpSession::TcpSession(Context& context, Start start, record::ConnectionInfo info, SessionOwner& owner)
    : context_(context),
      config_(std::move(start.config)),
      rbac_(std::move(start.rbac)),
      cluster_(std::move(start.cluster)),
      route_name_(std::move(start.route_name)),
      info_(std::move(info)),
      owner_(owner),
      downstream_(std::move(start.downstream)),
      held_{std::move(start.from_downstream), std::move(start.from_upstream)},
      upstream_(std::move(start.upstream)) {
  record_.connection = &info_;
  record_.start = context.loop.clock().Wall();
  record_.start_time = info_.accepted;
  record_.remote = info_.remote;
  record_.route_name = route_name_;
  record_.cluster_name = cluster_;
  config_->stats->Add(record::TcpStat::kCxTotal);
  downstream_->SetEvents(this);
}

TcpSession::~TcpSession() = default;

void TcpSession::OnOpen() {
  if (state_ != State::kOpening) return;
  // An intake that has terminated TLS has counted it.
  if (std::exchange(info_.tls, downstream_->tls()) == nullptr) CountHandshake(info_);
  if (!Authorize()) return;
  state_ = State::kConnecting;
  if (const std::string why = owner_.Refuse(*this); !why.empty()) return Close(why);
  if (upstream_) return BeginRelay();
  connect_ = std::make_unique<TcpConnect>(
      context_,
      TcpConnect::Request{
          .cluster = cluster_,
          .most_attempts = config_->xds.max_connect_attempts.value_or(1),
          .hash = config_->xds.hash_source_ip ? std::optional(lb::Hash64(info_.remote.ip.ToString())) : std::nullopt},
      record_, [this](std::expected<UpstreamConnection, Failure> result) { OnConnected(std::move(result)); });
}

bool TcpSession::Authorize() {
  filters::NetworkVerdict verdict = filters::CheckAll(rbac_, info_);
  if (verdict.allowed) return true;
  record_.termination_details = std::move(verdict.details);
  downstream_->Close(false);
  Finish();
  return false;
}

std::string TcpSession::Follow(const Chain& chain) {
  if (std::string why = ForbiddenBy(chain, info_); !why.empty()) return why;
  const io::Stream& downstream = relay_ ? relay_->downstream() : *downstream_;
  if (std::string why = DistrustedBy(chain, downstream, context_.downstream_tls).why; !why.empty()) return why;
  judge_upstream_ = relay_ == nullptr;
  // What its own rules deny they deny in a moment (OnOpen), and say which policy it is.
  if (state_ == State::kOpening && !filters::CheckAll(rbac_, info_, /*count=*/false).allowed) return {};
  // In the Plait forms the handshake is the intake's, and over.
  const bool handshakes = std::holds_alternative<std::shared_ptr<const TcpConfig>>(chain.terminal);
  if (std::string why = DeniedBy(chain, info_, handshakes && state_ == State::kOpening); !why.empty()) return why;
  return DistrustOfUpstream();
}

std::string TcpSession::DistrustOfUpstream() const {
  if (relay_ == nullptr) return {};
  const cluster::WorkerCluster* now = context_.clusters.Find(upstream_.cluster()->name());
  const cluster::Host* host = now != nullptr ? HostIn(*now->cluster(), upstream_) : nullptr;
  const auto judge = context_.pools.contexts().JudgeFor(host != nullptr ? *now->cluster() : *upstream_.cluster(),
                                                        host != nullptr ? *host : *upstream_.host());
  if (judge == nullptr) return {};
  std::string why = judge(Innermost(relay_->upstream())).refusal;
  return why.empty() ? why : Distrust("upstream_no_longer_trusted", std::move(why));
}

void TcpSession::OnConnected(std::expected<UpstreamConnection, Failure> result) {
  context_.loop.DeleteLater(std::move(connect_));
  if (!result) {
    if (result.error() == Failure::kNoCluster) config_->stats->Add(record::TcpStat::kCxNoRoute);
    downstream_->Close(false);
    return Finish();
  }
  upstream_ = std::move(*result);
  BeginRelay();
}

void TcpSession::BeginRelay() {
  state_ = State::kRelaying;
  record_.host = upstream_.host();
  record_.endpoints = upstream_.cluster();
  record_.cluster = record_.endpoints->config;
  // A connection that was dialled before this session began is not in the record yet.
  record_.attempts = std::max(record_.attempts, 1U);
  NoteUpstream(record_, upstream_.stream());
  context_.recorder.ConnectionOpened(record_);
  relay_ = std::make_unique<Relay>(context_.loop, std::move(downstream_), upstream_.TakeStream(), std::move(held_),
                                   config_->relay, [this](RelayEnd end) { OnRelayEnd(end); });
  relay_->Start();
  report_.SetCallback([this] { ReportProgress(); });
  report_.Start(context_.loop.timers(), kReportEvery);
  if (!std::exchange(judge_upstream_, false)) return;
  if (const std::string why = DistrustOfUpstream(); !why.empty()) Close(why);
}

void TcpSession::ReportProgress() {
  CountBytes();
  context_.recorder.ConnectionProgress(record_, progress_);
  report_.Start(context_.loop.timers(), kReportEvery);
}

void TcpSession::CountBytes() {
  const std::uint64_t received = relay_->bytes_from_downstream(), sent = relay_->bytes_from_upstream();
  record_.bytes_received = record_.upstream_bytes.wire_bytes_sent = received;
  record_.bytes_sent = record_.upstream_bytes.wire_bytes_received = sent;
  const std::uint64_t more_received = received - std::exchange(counted_.reported_received, received);
  const std::uint64_t more_sent = sent - std::exchange(counted_.reported_sent, sent);
  config_->stats->Add(record::TcpStat::kRxBytes, more_received);
  config_->stats->Add(record::TcpStat::kTxBytes, more_sent);
  if (!upstream_) return;
  const cluster::ClusterState& cluster = *upstream_.cluster()->state;
  cluster.Add(cluster::ClusterStat::kUpstreamCxTxBytesTotal, more_received);
  cluster.Add(cluster::ClusterStat::kUpstreamCxRxBytesTotal, more_sent);
}

void TcpSession::OnRelayEnd(RelayEnd end) {
  switch (end) {
    case RelayEnd::kMaxDuration:
      config_->stats->Add(record::TcpStat::kMaxDuration);
      record_.flags.Set(record::ResponseFlag::kDurationTimeout);
      break;
    case RelayEnd::kIdle:
      config_->stats->Add(record::TcpStat::kIdleTimeout);
      record_.termination_details = "tcp_session_idle_timeout";
      break;
    case RelayEnd::kUpstreamFailed:
      record_.flags.Set(record::ResponseFlag::kUpstreamRemoteReset);
      record_.upstream_close = record::CloseType::kRemoteReset;
      record_.downstream_close = record::CloseType::kLocalReset;
      break;
    case RelayEnd::kDownstreamFailed: record_.downstream_close = record::CloseType::kRemoteReset; break;
    case RelayEnd::kBothClosed: break;
  }
  Finish();
}

void TcpSession::OnFailed(Error error) {
  if (state_ == State::kOpening) {
    record_.downstream_transport_failure = tls::FailureOf(*downstream_);
    CountFailedHandshake(info_, record_.downstream_transport_failure);
    record_.termination_details = error.detail;
  }
  record_.flags.Set(record::ResponseFlag::kDownstreamConnectionTermination);
  Finish();
}

void TcpSession::Close(std::string_view reason) {
  if (state_ == State::kDone) return;
  record_.flags.Set(record::ResponseFlag::kLocalReset);
  record_.termination_details = reason;
  connect_.reset();
  if (relay_) {
    relay_->Abort();
  } else {
    downstream_->Close(true);
  }
  // A round later: the owner may be in the middle of its list.
  report_.SetCallback([this] { Finish(); });
  report_.Start(context_.loop.timers(), Duration(0));
}

void TcpSession::Finish() {
  if (std::exchange(state_, State::kDone) == State::kDone) return;
  report_.Cancel();
  connect_.reset();
  if (relay_) CountBytes();
  record_.total = context_.loop.Now() - record_.start_time;
  context_.recorder.ConnectionEnded(record_, progress_, config_->logs.get());
  owner_.OnSessionEnded(*this);
}

}  // namespace plait::proxy::session
