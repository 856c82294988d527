#include "proxy/session/tcp_connect.h"

#include <algorithm>
#include <utility>

#include "core/tls/facts.h"
#include "core/tls/stream.h"
#include "proxy/session/decisions.h"

namespace plait::proxy::session {
using cluster::ClusterStat;

UpstreamConnection::UpstreamConnection(std::unique_ptr<io::Stream> stream, cluster::ClusterPtr cluster,
                                       cluster::HostPtr host)
    : stream_(std::move(stream)), cluster_(std::move(cluster)), host_(std::move(host)) {
  cluster_->state->Add(ClusterStat::kUpstreamCxTotal);
  cluster_->state->AddGauge(ClusterStat::kUpstreamCxActive, 1);
  host_->stats().cx_total.fetch_add(1, std::memory_order_relaxed);
  host_->stats().cx_active.fetch_add(1, std::memory_order_relaxed);
  // As in Envoy: least request knows its load by that.
  host_->stats().rq_active.fetch_add(1, std::memory_order_relaxed);
}

UpstreamConnection& UpstreamConnection::operator=(UpstreamConnection&& other) noexcept {
  if (this == &other) return *this;
  Release();
  stream_ = std::move(other.stream_);
  cluster_ = std::move(other.cluster_);
  host_ = std::move(other.host_);
  return *this;
}

UpstreamConnection::~UpstreamConnection() { Release(); }

void UpstreamConnection::Release() noexcept {
  if (cluster_ == nullptr) return;
  cluster_->state->limits[0].connections.Return();
  cluster_->state->AddGauge(ClusterStat::kUpstreamCxActive, -1);
  cluster_->state->Add(ClusterStat::kUpstreamCxDestroy);
  host_->stats().cx_active.fetch_sub(1, std::memory_order_relaxed);
  host_->stats().rq_active.fetch_sub(1, std::memory_order_relaxed);
  cluster_.reset();
}

namespace {

// The index has no workload at the original destination: a place outside, or a pod that is gone, whose address may be
// another one's by now. Where the index decides about TLS nothing is sent there (semantics.md 2: never plaintext by
// accident); TLS that the cluster always speaks is spoken all the same.
void NobodyKnown(const xds::Cluster& config, lb::PickContext& pick) {
  const bool chooses = config.type == xds::Cluster::Type::kOriginalDst &&
                       std::any_of(config.transport_socket_matches.begin(), config.transport_socket_matches.end(),
                                   [](const auto& match) { return match.tls.has_value(); });
  if (chooses) return pick.original_dst.reset();
  pick.original_dst_plaintext = !config.tls;
}

// Whether all its hosts are spoken to in the same TLS, whatever the index knows of them.
bool AlwaysSpeaksTls(const xds::Cluster& config) { return config.tls && config.transport_socket_matches.empty(); }

// Whether the configuration itself says whom that may meet: a workload of the mesh would prove to be itself, an
// application has a certificate of its own.
bool NamesItsServers(const xds::Cluster& config) {
  if (!AlwaysSpeaksTls(config)) return false;
  const xds::CommonTlsContext& tls = config.tls->common;
  return !tls.validation_secret || (tls.validation && !tls.validation->subject_alt_names.empty());
}

}  // namespace

lb::PickContext PickForDestination(const cluster::DestinationIndex& index, const xds::Cluster& config,
                                   const io::SocketAddress& destination, std::string& identity) {
  lb::PickContext pick;
  if (config.type != xds::Cluster::Type::kOriginalDst && !config.pin_original_dst) return pick;
  pick.original_dst = destination;
  if (config.original_dst && config.original_dst->port_override) {
    pick.original_dst->port = Port{*config.original_dst->port_override};
  }
  const cluster::WorkloadPtr workload = index.FindWorkload(destination.ip);
  if (workload == nullptr) {
    NobodyKnown(config, pick);
    return pick;
  }
  identity = NamesItsServers(config) ? std::string() : workload->Identity();
  pick.original_dst_identity = identity;
  const auto of_port = workload->port_tls_modes.find(pick.original_dst->port.value);
  const xds::TlsMode mode = of_port != workload->port_tls_modes.end() ? of_port->second : workload->tls_mode;
  pick.original_dst_plaintext = mode == xds::TlsMode::kDisabled && !AlwaysSpeaksTls(config);
  for (const io::IpAddress& address : workload->addresses) {
    if (address.is_v4() != destination.ip.is_v4()) pick.original_dst_other = address;
  }
  return pick;
}

void NoteUpstream(record::StreamRecord& record, const io::Stream& stream) {
  record.upstream_local = stream.local();
  const io::TlsFacts* tls = stream.tls();
  record.upstream_tls = tls != nullptr;
  // Also when there is none: the attempt before may have had another connection.
  record.upstream_identity = tls != nullptr ? tls->peer_identity : std::string();
  record.own_identity = tls != nullptr ? tls->local_identity : std::string();
}

TcpConnect::TcpConnect(Context& context, Request request, record::StreamRecord& record, OnDone done)
    : context_(context), request_(std::move(request)), record_(record), done_(std::move(done)) {
  timer_.SetCallback([this] { Begin(); });
  timer_.Start(context.loop.timers(), Duration(0));
}

TcpConnect::~TcpConnect() = default;

void TcpConnect::Begin() {
  timer_.SetCallback([this] { OnAttemptFailed(Failure::kConnectTimeout, ""); });
  if (context_.clusters.Find(request_.cluster) != nullptr) return Try();
  waiting_ = context_.on_demand.NeedCluster(request_.cluster, context_.warming_limit, [this](bool ready) {
    if (!ready) return Done(std::unexpected(Failure::kNoCluster));
    Try();
  });
}

void TcpConnect::Try() {
  cluster::WorkerCluster* worker_cluster = context_.clusters.Find(request_.cluster);
  if (worker_cluster == nullptr) return Done(std::unexpected(Failure::kNoCluster));
  const cluster::ClusterPtr cluster = worker_cluster->cluster();
  record_.endpoints = cluster;
  record_.cluster = cluster->config;
  ++attempts_;
  record_.attempts = attempts_;
  if (!cluster->state->limits[0].connections.Take()) {
    cluster->state->Add(ClusterStat::kUpstreamCxOverflow);
    return Done(std::unexpected(Failure::kOverflow));
  }
  lb::PickContext pick =
      PickForDestination(context_.index, *cluster->config, record_.connection->local, index_identity_);
  pick.hash = request_.hash;
  const cluster::Picked picked = worker_cluster->Pick(pick);
  if (picked.host == nullptr) {
    cluster->state->limits[0].connections.Return();
    cluster->state->Add(ClusterStat::kUpstreamCxNoneHealthy);
    if (const std::string& rule = cluster->config->refused_by; !rule.empty())
      record_.termination_details = DetailsOf(Failure::kNoHealthyUpstream, rule);
    return Done(std::unexpected(Failure::kNoHealthyUpstream));
  }
  record_.host = picked.host;
  const Result<upstream::Dial> dial = MakeDial(*cluster, *picked.host);
  if (!dial) {
    cluster->state->limits[0].connections.Return();
    record_.transport_failure = dial.error().detail;
    return Done(std::unexpected(Failure::kConnectFailure));
  }
  at_other_ = dial->other && picked.host->begins_at_other();
  last_ = !dial->other;
  connecting_ = UpstreamConnection(upstream::Open(context_.pools.connector(), context_.loop, *dial, at_other_), cluster,
                                   picked.host);
  connecting_.stream().SetEvents(this);
  timer_.Start(context_.loop.timers(), dial->connect_timeout);
}

Result<upstream::Dial> TcpConnect::MakeDial(const cluster::Cluster& cluster, const cluster::Host& host) const {
  return upstream::MakeDial(context_.pools.contexts(),
                            {.cluster = cluster, .host = host, .application = request_.application, .server_name = {}});
}

// The host's other address, where nobody listens at the first; false: there is none, or it was tried.
bool TcpConnect::TryOther(const Error& why) {
  if (std::exchange(last_, true) || !upstream::IsRefused(why)) return false;
  const Result<upstream::Dial> dial = MakeDial(*connecting_.cluster(), *connecting_.host());
  if (!dial) return false;
  at_other_ = !at_other_;
  context_.loop.DeleteLater(connecting_.TakeStream());
  connecting_.PutStream(upstream::Open(context_.pools.connector(), context_.loop, *dial, at_other_));
  connecting_.stream().SetEvents(this);
  timer_.Start(context_.loop.timers(), dial->connect_timeout);
  return true;
}

void TcpConnect::OnOpen() {
  timer_.Cancel();
  connecting_.host()->NoteOpened(at_other_);
  if (!request_.speculative) cluster::ReportConnected(*connecting_.cluster(), *connecting_.host());
  Done(std::move(connecting_));
}

void TcpConnect::OnFailed(Error error) {
  if (TryOther(error)) return;
  OnAttemptFailed(Failure::kConnectFailure, upstream::TransportFailure(connecting_.stream(), error));
}

void TcpConnect::OnAttemptFailed(Failure failure, std::string reason) {
  timer_.Cancel();
  const cluster::Cluster& cluster = *connecting_.cluster();
  cluster.state->Add(ClusterStat::kUpstreamCxConnectFail);
  if (failure == Failure::kConnectTimeout) cluster.state->Add(ClusterStat::kUpstreamCxConnectTimeout);
  connecting_.host()->stats().cx_connect_fail.fetch_add(1, std::memory_order_relaxed);
  if (!request_.speculative) {
    cluster::ReportLocalFailure(cluster, *connecting_.host(),
                                failure == Failure::kConnectTimeout ? cluster::LocalFailure::kConnectTimeout
                                                                    : cluster::LocalFailure::kConnectFailed);
  }
  record_.transport_failure = std::move(reason);
  context_.loop.DeleteLater(connecting_.TakeStream());
  connecting_ = UpstreamConnection();
  if (attempts_ < request_.most_attempts) return Try();
  record_.flags.Set(FactsOf(failure).flag);  // before the other, as Envoy sets and writes them
  record_.flags.Set(record::ResponseFlag::kUpstreamRetryLimitExceeded);
  Done(std::unexpected(failure));
}

void TcpConnect::Done(std::expected<UpstreamConnection, Failure> result) {
  if (!result) record_.flags.Set(FactsOf(result.error()).flag);
  auto done = std::exchange(done_, nullptr);
  done(std::move(result));
}

}  // namespace plait::proxy::session
