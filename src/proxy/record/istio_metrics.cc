#include "proxy/record/istio_metrics.h"

#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"

namespace plait::proxy::record {
namespace {

using telemetry::StatDef;

// In this order; response_code and grpc_response_status are last because TCP metrics lack them.
constexpr std::array<std::string_view, kHttpLabels> kLabels = {"reporter",
                                                               "source_workload",
                                                               "source_canonical_service",
                                                               "source_canonical_revision",
                                                               "source_workload_namespace",
                                                               "source_principal",
                                                               "source_app",
                                                               "source_version",
                                                               "source_cluster",
                                                               "destination_workload",
                                                               "destination_workload_namespace",
                                                               "destination_principal",
                                                               "destination_app",
                                                               "destination_version",
                                                               "destination_service",
                                                               "destination_canonical_service",
                                                               "destination_canonical_revision",
                                                               "destination_service_name",
                                                               "destination_service_namespace",
                                                               "destination_cluster",
                                                               "request_protocol",
                                                               "response_flags",
                                                               "connection_security_policy",
                                                               "response_code",
                                                               "grpc_response_status"};
constexpr std::size_t kTcpLabels = 23;

enum HttpStat : std::size_t {
  kRequests,
  kDuration,
  kRequestBytes,
  kResponseBytes,
  kRequestMessages,
  kResponseMessages
};
constexpr std::array<StatDef, 6> kHttpStats = {{
    {.name = "requests_total"},
    {.name = "request_duration_milliseconds", .kind = telemetry::Kind::kHistogram},
    {.name = "request_bytes", .kind = telemetry::Kind::kHistogram},
    {.name = "response_bytes", .kind = telemetry::Kind::kHistogram},
    {.name = "request_messages_total"},
    {.name = "response_messages_total"},
}};
enum TcpStat : std::size_t { kOpened, kClosed, kSent, kReceived };
constexpr std::array<StatDef, 4> kTcpStats = {{{.name = "tcp_connections_opened_total"},
                                               {.name = "tcp_connections_closed_total"},
                                               {.name = "tcp_sent_bytes_total"},
                                               {.name = "tcp_received_bytes_total"}}};
constexpr telemetry::Schema kHttpSchema{"", "istio_", kLabels, std::span(kHttpStats).first<4>()};
constexpr telemetry::Schema kGrpcSchema{"", "istio_", kLabels, kHttpStats};
constexpr telemetry::Schema kTcpSchema{"", "istio_", std::span(kLabels).first<kTcpLabels>(), kTcpStats};
constexpr std::array<StatDef, 1> kOverflowStats = {{{.name = "istio_series_dropped_total"}}};
constexpr telemetry::Schema kOverflowSchema{"plait.", "plait_", {}, kOverflowStats};

// Clusters without a destination of the mesh.
bool IsOutside(std::string_view cluster_name) {
  return cluster_name == "PassthroughCluster" || cluster_name == "BlackHoleCluster";
}

// "outbound|9080|v2|reviews.default.svc.cluster.local" -> the last part; empty: no such name.
std::string_view ServiceHostOf(std::string_view cluster_name) {
  if (!cluster_name.starts_with("outbound|")) return {};
  const std::vector<std::string_view> parts = Split(cluster_name, '|');
  return parts.size() == 4 ? parts[3] : std::string_view();
}

template <class T>
void AppendRaw(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

IstioSeries::IstioSeries(telemetry::Registry& registry)
    : registry_(registry), overflow_(registry.NewGroup(kOverflowSchema, {})) {}

const telemetry::Group* IstioSeries::Find(Kind kind, const LabelValues& values) {
  std::string key(1, static_cast<char>(kind));
  for (const std::string& value : values) key.append(value).push_back('\0');
  const std::lock_guard lock(mutex_);
  const auto at = sets_.find(key);
  if (at != sets_.end()) return at->second.get();
  if (sets_.size() >= kMostSets) {
    overflow_.Add(0);
    return nullptr;
  }
  const telemetry::Schema& schema = kind == Kind::kTcp ? kTcpSchema : kind == Kind::kGrpc ? kGrpcSchema : kHttpSchema;
  std::vector<std::string> labels(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(schema.labels.size()));
  auto group = std::make_unique<telemetry::Group>(registry_.NewGroup(schema, std::move(labels)));
  return sets_.emplace(std::move(key), std::move(group)).first->second.get();
}

IstioMetrics::IstioMetrics(IstioSeries& series, LocalWorkload local, const cluster::DestinationIndex& index,
                           PeerLookup* lookup)
    : series_(series), local_(std::move(local)), index_(index), lookup_(lookup), common_(index) {}
IstioMetrics::~IstioMetrics() = default;

bool IstioMetrics::Wanted(const StreamRecord& record) noexcept {
  return record.connection != nullptr && !record.probe &&
         (record.connection->gateway || record.connection->direction != Direction::kUnspecified);
}

bool IstioMetrics::Subject::has_services() const noexcept { return *cluster && !(*cluster)->istio_services.empty(); }

IstioMetrics::Waiting::Waiting(const Subject& of, const Sample& with)
    : cluster(*of.cluster), endpoints(*of.endpoints), host(*of.host), subject(of), sample(with) {
  subject.cluster = &cluster;
  subject.endpoints = &endpoints;
  subject.caller = nullptr;
  subject.host = &host;
  std::size_t next = 0;
  for (std::string_view* view : {&subject.peer_principal, &subject.own_principal, &subject.cluster_name,
                                 &subject.host_header, &subject.grpc_status}) {
    texts[next] = *view;
    *view = texts[next++];
  }
}

namespace {
// A code of gRPC as it is; what else a server may have written is no label.
std::string_view KnownGrpcStatus(std::string_view text) {
  constexpr std::uint64_t kLastCode = 16;
  const auto code = ParseUint(text);
  return text.empty() || (code && *code <= kLastCode && text.size() <= 2) ? text : "unknown";
}
}  // namespace

IstioMetrics::Subject IstioMetrics::SubjectOf(const StreamRecord& record, IstioSeries::Kind kind) {
  const ConnectionInfo& connection = *record.connection;
  Subject subject{.source = connection.gateway || connection.direction == Direction::kOutbound,
                  .kind = kind,
                  .code = record.response_code,
                  .flags = record.flags,
                  .local_ip = connection.local.ip,
                  .local_port = connection.local.port.value,
                  .cluster = &record.cluster,
                  .endpoints = &record.endpoints,
                  .host = &record.host,
                  .cluster_name = record.cluster_name.empty() ? record.route_cluster : record.cluster_name};
  if (record.route_name == "block_all") subject.cluster_name = "BlackHoleCluster";  // answered without a cluster
  if (subject.source) {
    if (record.host) subject.peer = record.host->address().ip;
    subject.peer_principal = record.upstream_identity;
    if (!subject.peer_principal.empty()) subject.own_principal = record.own_identity;
  } else {
    subject.peer = connection.remote.ip;
    subject.caller = &connection.peer;
    if (connection.tls != nullptr && connection.tls->peer_certificate) {
      subject.mutual_tls = true;
      subject.peer_principal = connection.tls->peer_identity;
      subject.own_principal = connection.tls->local_identity;
    }
  }
  // As Istio: the application's own calls alone. What others write there would be a label, and as many series as they
  // like.
  const bool applications = connection.direction == Direction::kOutbound && !connection.gateway;
  if (record.request != nullptr && applications) subject.host_header = http::HostOnly(record.request->authority);
  if (kind != IstioSeries::Kind::kGrpc) return subject;
  for (const http::Headers* fields :
       {record.response_trailers, record.response ? &record.response->headers : nullptr}) {
    if (fields == nullptr || !subject.grpc_status.empty()) continue;
    subject.grpc_status = KnownGrpcStatus(fields->Get("grpc-status").value_or(""));
  }
  return subject;
}

void IstioMetrics::Request(const StreamRecord& record) {
  if (!Wanted(record)) return;
  const bool grpc = record.request != nullptr && http::IsGrpc(record.request->headers);
  const auto kind = grpc ? IstioSeries::Kind::kGrpc : IstioSeries::Kind::kHttp;
  const double ms = std::chrono::duration<double, std::milli>(record.total.value_or(Duration::zero())).count();
  Count(SubjectOf(record, kind), {.kind = kind,
                                  .duration_ms = ms,
                                  .request_bytes = record.request_header_bytes + record.bytes_received,
                                  .response_bytes = record.response_header_bytes + record.bytes_sent,
                                  .request_messages = record.request_messages,
                                  .response_messages = record.response_messages});
}

void IstioMetrics::TcpOpened(const StreamRecord& record) {
  if (!Wanted(record)) return;
  Subject subject = SubjectOf(record, IstioSeries::Kind::kTcp);
  subject.flags = {};
  Count(subject, {.kind = IstioSeries::Kind::kTcp, .opened = true});
}
void IstioMetrics::TcpBytes(const StreamRecord& record, std::uint64_t sent, std::uint64_t received) {
  if (!Wanted(record) || (sent == 0 && received == 0)) return;
  Count(SubjectOf(record, IstioSeries::Kind::kTcp),
        {.kind = IstioSeries::Kind::kTcp, .request_bytes = received, .response_bytes = sent});
}
void IstioMetrics::TcpClosed(const StreamRecord& record, std::uint64_t sent, std::uint64_t received) {
  if (!Wanted(record)) return;
  Count(SubjectOf(record, IstioSeries::Kind::kTcp),
        {.kind = IstioSeries::Kind::kTcp, .closed = true, .request_bytes = received, .response_bytes = sent});
}

void IstioMetrics::Count(const Subject& subject, const Sample& sample) {
  if (!subject.source) return CountForCaller(subject, sample);
  if (*subject.host == nullptr) return CountForNobody(subject, sample);
  CountAfterLookup(subject, sample);
}

void IstioMetrics::CountForCaller(const Subject& subject, const Sample& sample) {
  cluster::WorkloadPtr& caller = *subject.caller;
  if (caller == nullptr) caller = index_.FindWorkload(subject.peer);
  // Another one may have taken the address over.
  const bool is_it =
      caller != nullptr && (subject.peer_principal.empty() || HasIdentity(*caller, subject.peer_principal));
  if (is_it) return CountFor(subject, sample, caller);
  CountAfterLookup(subject, sample);
}

// No endpoint was chosen. Who was meant is told by the cluster, for which nobody may have asked so far.
void IstioMetrics::CountForNobody(const Subject& subject, const Sample& sample) {
  const bool ask = *subject.endpoints == nullptr && lookup_ != nullptr &&
                   !ServiceHostOf(subject.cluster_name).empty() && waiting_.size() < kMostWaiting;
  if (!ask) return CountFor(subject, sample, nullptr);
  const auto at = waiting_.emplace(waiting_.end(), subject, sample);
  at->lookup = lookup_->NeedCluster(at->subject.cluster_name, std::chrono::seconds(1), [this, at](bool) {
    std::list<Waiting> done;
    done.splice(done.end(), waiting_, at);
    Waiting& waiting = done.front();
    waiting.endpoints = lookup_->FindCluster(waiting.subject.cluster_name);
    if (waiting.endpoints != nullptr) waiting.cluster = waiting.endpoints->config;
    CountFor(waiting.subject, waiting.sample, nullptr);
  });
}

void IstioMetrics::CountAfterLookup(const Subject& subject, const Sample& sample) {
  const cluster::Destination found = index_.FindByAddress(subject.peer);
  if (found.known || lookup_ == nullptr || waiting_.size() >= kMostWaiting) {
    return CountFor(subject, sample, found.workload);
  }
  const auto at = waiting_.emplace(waiting_.end(), subject, sample);
  at->lookup = lookup_->Lookup(subject.peer, std::chrono::seconds(1), [this, at](Result<cluster::Destination> answer) {
    std::list<Waiting> done;
    done.splice(done.end(), waiting_, at);
    CountFor(done.front().subject, done.front().sample, answer ? answer->workload : nullptr);
  });
}

// Where the cluster does not say which service it is.
cluster::ServicePtr IstioMetrics::ServiceOf(const Subject& subject, const cluster::WorkloadPtr& peer) const {
  if (subject.has_services()) return nullptr;
  if (subject.source && *subject.host == nullptr) {
    if (IsOutside(subject.cluster_name)) return nullptr;
    if (auto service = index_.FindService(ServiceHostOf(subject.cluster_name))) return service;
    if (auto service = index_.FindService(subject.host_header)) return service;
    return index_.FindService(subject.local_ip, subject.local_port);
  }
  const cluster::WorkloadPtr to = subject.source ? peer : index_.FindWorkload(subject.local_ip);
  if (to == nullptr) return nullptr;
  return index_.ServiceOf(*to, subject.source ? (*subject.host)->address().port.value : subject.local_port);
}

// What no connection has told, for it failed or was never made.
IstioMetrics::Presumed IstioMetrics::Presume(Subject& subject, const xds::Service* service) {
  Presumed presumed;
  if (!subject.source || !subject.peer_principal.empty()) return presumed;
  const cluster::Cluster* cluster = subject.endpoints->get();
  if (*subject.host != nullptr) {
    subject.peer_principal = ExpectedPrincipal(cluster, **subject.host);
  } else if (subject.has_services() || service != nullptr) {
    const xds::ServiceRef* ref = subject.has_services() ? &(*subject.cluster)->istio_services[0] : nullptr;
    const Peer& common = common_.Find({.cluster = *subject.endpoints,
                                       .name = subject.cluster_name,
                                       .service_host = ref != nullptr ? ref->host : service->hostname,
                                       .service_namespace = ref != nullptr ? ref->name_space : service->name_space});
    presumed.labels = &common.labels;
    subject.peer_principal = common.principal;
  }
  if (subject.peer_principal.empty()) return presumed;  // plaintext
  if (const cluster::WorkloadPtr own = index_.FindWorkload(local_.ip)) presumed.own_principal = own->Identity();
  return presumed;
}

LabelValues IstioMetrics::Labels(const Subject& subject, const Presumed& presumed, const xds::Workload* peer,
                                 const xds::Service* service) const {
  const WorkloadLabels other = presumed.labels != nullptr ? *presumed.labels
                               : subject.source && *subject.host
                                   ? LabelsOfEndpoint(subject.peer_principal, peer, **subject.host)
                                   : LabelsOfPeer(subject.peer_principal, peer);
  const WorkloadLabels& source = subject.source ? local_.labels : other;
  const WorkloadLabels& destination = subject.source ? other : local_.labels;
  std::string host = "unknown";
  std::string name = "unknown";
  std::string name_space = destination.name_space;
  if (subject.has_services()) {
    const xds::ServiceRef& ref = (*subject.cluster)->istio_services[0];
    host = ref.host;
    name = ref.name;
    name_space = ref.name_space;
  } else if (service != nullptr) {
    host = service->hostname;
    name = service->name;
    name_space = service->name_space;
  } else {
    if (!subject.host_header.empty()) host = name = subject.host_header;
    if (IsOutside(subject.cluster_name)) name = subject.cluster_name;
  }
  const std::string peer_principal = Known(subject.peer_principal);
  const std::string own_principal =
      Known(subject.own_principal.empty() ? presumed.own_principal : subject.own_principal);
  using Kind = IstioSeries::Kind;
  return {subject.source ? "source" : "destination",
          source.workload,
          source.canonical_service,
          source.canonical_revision,
          source.name_space,
          subject.source ? own_principal : peer_principal,
          source.app,
          source.version,
          source.cluster,
          destination.workload,
          destination.name_space,
          subject.source ? peer_principal : own_principal,
          destination.app,
          destination.version,
          host,
          destination.canonical_service,
          destination.canonical_revision,
          name,
          Known(name_space),
          destination.cluster,
          subject.kind == Kind::kTcp    ? "tcp"
          : subject.kind == Kind::kGrpc ? "grpc"
                                        : "http",
          subject.flags.ToString(),
          subject.source       ? "unknown"
          : subject.mutual_tls ? "mutual_tls"
                               : "none",
          subject.kind == Kind::kTcp ? "" : std::to_string(subject.code),
          std::string(subject.grpc_status)};
}

void IstioMetrics::MakeKey(const Subject& subject, const Presumed& presumed, const xds::Workload* peer,
                           const xds::Service* service) {
  key_.clear();
  AppendRaw(key_, subject.source);
  AppendRaw(key_, subject.kind);
  AppendRaw(key_, subject.mutual_tls);
  AppendRaw(key_, subject.code);
  AppendRaw(key_, subject.flags.bits());
  AppendRaw(key_, peer);
  AppendRaw(key_, service);
  AppendRaw(key_, subject.cluster->get());
  AppendRaw(key_, subject.host->get());
  const auto add = [this](std::string_view text) { key_.append(text).push_back('\0'); };
  for (const std::string_view text : {subject.peer_principal, subject.own_principal, subject.grpc_status}) add(text);
  add(presumed.own_principal);
  if (const WorkloadLabels* labels = presumed.labels) {
    for (const std::string* text : {&labels->workload, &labels->name_space, &labels->app, &labels->version,
                                    &labels->cluster, &labels->canonical_service, &labels->canonical_revision})
      add(*text);
  }
  if (subject.has_services() || service != nullptr) return;
  add(subject.host_header);
  key_.append(subject.cluster_name);
}

const telemetry::Group* IstioMetrics::FindGroup(const Subject& of, const cluster::WorkloadPtr& peer) {
  Subject subject = of;
  const cluster::ServicePtr service = ServiceOf(subject, peer);
  const Presumed presumed = Presume(subject, service.get());
  MakeKey(subject, presumed, peer.get(), service.get());
  auto at = cache_.find(key_);
  if (at == cache_.end()) {
    if (cache_.size() >= kMostCached) cache_.clear();
    Cached made{series_.Find(subject.kind, Labels(subject, presumed, peer.get(), service.get())), peer, service,
                *subject.cluster, *subject.host};
    at = cache_.emplace(key_, std::move(made)).first;
  }
  return at->second.group;
}

void IstioMetrics::CountFor(const Subject& subject, const Sample& sample, const cluster::WorkloadPtr& peer) {
  const telemetry::Group* group = FindGroup(subject, peer);
  if (group == nullptr) return;
  if (sample.kind == IstioSeries::Kind::kTcp) {
    if (sample.opened) group->Add(kOpened);
    if (sample.closed) group->Add(kClosed);
    group->Add(kSent, sample.response_bytes);
    group->Add(kReceived, sample.request_bytes);
    return;
  }
  group->Add(kRequests);
  group->Record(kDuration, sample.duration_ms);
  group->Record(kRequestBytes, static_cast<double>(sample.request_bytes));
  group->Record(kResponseBytes, static_cast<double>(sample.response_bytes));
  if (sample.kind != IstioSeries::Kind::kGrpc) return;
  group->Add(kRequestMessages, sample.request_messages);
  group->Add(kResponseMessages, sample.response_messages);
}

}  // namespace plait::proxy::record
