#include "proxy/record/istio_metrics.h"

#include <algorithm>
#include <charconv>

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

std::string Known(std::string_view text) { return std::string(text.empty() ? "unknown" : text); }

std::string Label(const std::map<std::string, std::string>& labels, const std::string& name) {
  const auto at = labels.find(name);
  return at == labels.end() ? "" : at->second;
}

// app -> app.kubernetes.io/name -> canonical name (Istio 1.29); the same for versions.
WorkloadLabels WithApp(WorkloadLabels made, const std::map<std::string, std::string>& labels) {
  made.app = Label(labels, "app");
  if (made.app.empty()) made.app = Label(labels, "app.kubernetes.io/name");
  if (made.app.empty()) made.app = made.canonical_service;
  made.version = Label(labels, "version");
  if (made.version.empty()) made.version = Label(labels, "app.kubernetes.io/version");
  if (made.version.empty()) made.version = made.canonical_revision;
  return made;
}

// "spiffe://td/ns/NAMESPACE/sa/x" -> NAMESPACE
std::string NamespaceOf(std::string_view principal) {
  const std::size_t at = principal.find("/ns/");
  if (at == std::string_view::npos) return "unknown";
  const std::string_view rest = principal.substr(at + 4);
  return Known(rest.substr(0, rest.find('/')));
}

template <class T>
void AppendRaw(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

WorkloadLabels LabelsOf(const xds::Workload& workload) {
  WorkloadLabels made{.workload = Known(workload.workload_name.empty() ? workload.name : workload.workload_name),
                      .name_space = Known(workload.name_space),
                      .cluster = Known(workload.cluster_id)};
  made.canonical_service = workload.canonical_name.empty() ? made.workload : workload.canonical_name;
  made.canonical_revision = workload.canonical_revision.empty() ? "latest" : workload.canonical_revision;
  return WithApp(std::move(made), workload.labels);
}

WorkloadLabels LabelsOfNode(const std::map<std::string, std::string>& metadata,
                            const std::map<std::string, std::string>& labels) {
  const auto of = [&](const char* name) { return Label(metadata, name); };
  WorkloadLabels made{
      .workload = Known(of("WORKLOAD_NAME")), .name_space = Known(of("NAMESPACE")), .cluster = Known(of("CLUSTER_ID"))};
  std::string name = Label(labels, "service.istio.io/canonical-name");
  if (name.empty()) name = Label(labels, "app.kubernetes.io/name");
  if (name.empty()) name = Label(labels, "app");
  made.canonical_service = name.empty() ? made.workload : name;
  std::string revision = Label(labels, "service.istio.io/canonical-revision");
  if (revision.empty()) revision = Label(labels, "app.kubernetes.io/version");
  if (revision.empty()) revision = Label(labels, "version");
  made.canonical_revision = revision.empty() ? "latest" : revision;
  return WithApp(std::move(made), labels);
}

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

IstioMetrics::IstioMetrics(IstioSeries& series, WorkloadLabels local, const cluster::DestinationIndex& index,
                           cluster::DestinationLookup* lookup)
    : series_(series), local_(std::move(local)), index_(index), lookup_(lookup) {}
IstioMetrics::~IstioMetrics() = default;

bool IstioMetrics::Wanted(const StreamRecord& record) noexcept {
  return record.connection != nullptr && !record.probe &&
         (record.connection->gateway || record.connection->direction != Direction::kUnspecified);
}

bool IstioMetrics::Subject::has_services() const noexcept { return *cluster && !(*cluster)->istio_services.empty(); }

IstioMetrics::Waiting::Waiting(const Subject& of, const Sample& with)
    : cluster(*of.cluster), host(*of.host), subject(of), sample(with) {
  subject.cluster = &cluster;
  subject.host = &host;
  std::size_t next = 0;
  for (std::string_view* view : {&subject.peer_principal, &subject.own_principal, &subject.cluster_name,
                                 &subject.host_header, &subject.grpc_status}) {
    texts[next] = *view;
    *view = texts[next++];
  }
}

IstioMetrics::Subject IstioMetrics::SubjectOf(const StreamRecord& record, IstioSeries::Kind kind) {
  const ConnectionInfo& connection = *record.connection;
  Subject subject{.source = connection.gateway || connection.direction == Direction::kOutbound,
                  .kind = kind,
                  .code = record.response_code,
                  .flags = record.flags,
                  .local_ip = connection.local.ip,
                  .local_port = connection.local.port.value,
                  .cluster = &record.cluster,
                  .host = &record.host,
                  .cluster_name = record.cluster_name};
  if (record.route_name == "block_all") subject.cluster_name = "BlackHoleCluster";  // answered without a cluster
  if (subject.source) {
    if (record.host) subject.peer = record.host->address().ip;
    subject.peer_principal = record.upstream_identity;
    if (!record.upstream_identity.empty()) subject.own_principal = record.own_identity;
  } else {
    subject.peer = connection.remote.ip;
    if (connection.tls != nullptr && connection.tls->peer_certificate) {
      subject.mutual_tls = true;
      subject.peer_principal = connection.tls->peer_identity;
      subject.own_principal = connection.tls->local_identity;
    }
  }
  if (record.request != nullptr) subject.host_header = http::HostOnly(record.request->authority);
  if (kind != IstioSeries::Kind::kGrpc) return subject;
  for (const http::Headers* fields :
       {record.response_trailers, record.response ? &record.response->headers : nullptr}) {
    if (fields == nullptr || !subject.grpc_status.empty()) continue;
    subject.grpc_status = fields->Get("grpc-status").value_or("");
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
  const bool has_peer = !subject.source || *subject.host != nullptr;
  const cluster::Destination found =
      has_peer ? index_.FindByAddress(subject.peer) : cluster::Destination{.known = true};
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

WorkloadLabels IstioMetrics::PeerLabels(const Subject& subject, const cluster::WorkloadPtr& peer) const {
  // The certificate wins: an address that carries another identity is a gateway or translated, its labels are not the
  // peer's.
  const bool same = peer != nullptr && (subject.peer_principal.empty() || peer->Identity() == subject.peer_principal);
  if (same) return LabelsOf(*peer);
  WorkloadLabels labels;
  if (!subject.peer_principal.empty()) labels.name_space = NamespaceOf(subject.peer_principal);
  if (subject.source && *subject.host && peer == nullptr && !(*subject.host)->facts().istio_workload.empty()) {
    const std::vector<std::string_view> parts = Split((*subject.host)->facts().istio_workload, ';');
    if (parts.size() >= 5) {  // endpoint metadata: workload;namespace;canonical name;revision;cluster
      labels = {.workload = Known(parts[0]),
                .name_space = Known(parts[1]),
                .cluster = Known(parts[4]),
                .canonical_service = Known(parts[2]),
                .canonical_revision = parts[3].empty() ? "latest" : std::string(parts[3])};
      labels.app = labels.canonical_service;
      labels.version = labels.canonical_revision;
    }
  }
  return labels;
}

LabelValues IstioMetrics::Labels(const Subject& subject, const cluster::WorkloadPtr& peer,
                                 const cluster::ServicePtr& service) const {
  const WorkloadLabels other = PeerLabels(subject, peer);
  const WorkloadLabels& source = subject.source ? local_ : other;
  const WorkloadLabels& destination = subject.source ? other : local_;
  std::string host = "unknown";
  std::string name = "unknown";
  std::string name_space = destination.name_space;
  if (subject.has_services()) {
    const xds::ServiceRef& ref = (*subject.cluster)->istio_services[0];
    host = ref.host;
    name = ref.name;
    name_space = ref.name_space;
  } else if (service) {
    host = service->hostname;
    name = service->name;
    name_space = service->name_space;
  } else {
    if (!subject.host_header.empty()) host = name = subject.host_header;
    const bool unknown_cluster =
        subject.cluster_name == "PassthroughCluster" || subject.cluster_name == "BlackHoleCluster";
    if (unknown_cluster) name = subject.cluster_name;
  }
  const std::string peer_principal = Known(subject.peer_principal);
  const std::string own_principal = Known(subject.own_principal);
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

void IstioMetrics::MakeKey(const Subject& subject, const xds::Workload* peer, const xds::Service* service) {
  key_.clear();
  AppendRaw(key_, subject.source);
  AppendRaw(key_, subject.kind);
  AppendRaw(key_, subject.mutual_tls);
  AppendRaw(key_, subject.code);
  AppendRaw(key_, subject.flags.bits());
  AppendRaw(key_, peer);
  AppendRaw(key_, service);
  AppendRaw(key_, subject.cluster->get());
  if (peer == nullptr) AppendRaw(key_, subject.host->get());
  for (const std::string_view text : {subject.peer_principal, subject.own_principal, subject.grpc_status}) {
    key_.append(text).push_back('\0');
  }
  if (subject.has_services() || service != nullptr) return;
  key_.append(subject.host_header).push_back('\0');
  key_.append(subject.cluster_name);
}

void IstioMetrics::CountFor(const Subject& subject, const Sample& sample, const cluster::WorkloadPtr& peer) {
  cluster::ServicePtr service;
  if (!subject.has_services()) {
    const cluster::WorkloadPtr to = subject.source ? peer : index_.FindWorkload(subject.local_ip);
    const bool by_host = subject.source && *subject.host;
    if (to) service = index_.ServiceOf(*to, by_host ? (*subject.host)->address().port.value : subject.local_port);
  }
  MakeKey(subject, peer.get(), service.get());
  auto at = cache_.find(key_);
  if (at == cache_.end()) {
    if (cache_.size() >= kMostCached) cache_.clear();
    Cached made{series_.Find(subject.kind, Labels(subject, peer, service)), peer, service, *subject.cluster,
                peer == nullptr ? *subject.host : nullptr};
    at = cache_.emplace(key_, std::move(made)).first;
  }
  const telemetry::Group* group = at->second.group;
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
