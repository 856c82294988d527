#include "proxy/record/peer_labels.h"

#include <algorithm>

namespace plait::proxy::record {
namespace {

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
  if (at == std::string_view::npos) return std::string(kUnknown);
  const std::string_view rest = principal.substr(at + 4);
  return Known(rest.substr(0, rest.find('/')));
}

bool IsAt(std::string_view principal, const xds::Workload* workload) {
  return workload != nullptr && (principal.empty() || HasIdentity(*workload, principal));
}

bool IsOfMesh(const xds::UpstreamTlsContext* tls) {
  return std::ranges::any_of(tls->common.certificate_secrets,
                             [](const xds::SecretRef& secret) { return secret.name == "default"; });
}

// Whether any endpoint of the cluster could be called with mutual TLS of the mesh.
bool OffersMeshTls(const cluster::Cluster& cluster) {
  return std::ranges::any_of(cluster::TlsOf(*cluster.config), IsOfMesh);
}

// "outbound|9080|v2|reviews.default.svc.cluster.local": of a subset, not of the whole service.
bool IsSubset(std::string_view cluster_name) {
  const std::vector<std::string_view> parts = Split(cluster_name, '|');
  return parts.size() == 4 && !parts[2].empty();
}

// Keeps what several peers have in common.
class Common {
 public:
  void Add(const Peer& peer) {
    if (!std::exchange(any_, true)) {
      common_ = peer;
      return;
    }
    const WorkloadLabels none;
    for (std::string WorkloadLabels::* label :
         {&WorkloadLabels::workload, &WorkloadLabels::name_space, &WorkloadLabels::app, &WorkloadLabels::version,
          &WorkloadLabels::cluster, &WorkloadLabels::canonical_service, &WorkloadLabels::canonical_revision}) {
      if (common_.labels.*label != peer.labels.*label) common_.labels.*label = none.*label;
    }
    if (common_.principal != peer.principal) common_.principal = kUnknown;
  }
  bool any() const noexcept { return any_; }
  Peer Take() { return std::move(common_); }

 private:
  Peer common_;
  bool any_ = false;
};

}  // namespace

bool HasIdentity(const xds::Workload& workload, std::string_view identity) noexcept {
  const auto take = [&](std::string_view part) {
    const bool is_next = identity.starts_with(part);
    if (is_next) identity.remove_prefix(part.size());
    return is_next;
  };
  const std::string_view trust_domain =
      workload.trust_domain.empty() ? std::string_view("cluster.local") : std::string_view(workload.trust_domain);
  return !workload.service_account.empty() && take("spiffe://") && take(trust_domain) && take("/ns/") &&
         take(workload.name_space) && take("/sa/") && identity == workload.service_account;
}

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

WorkloadLabels LabelsOfPeer(std::string_view principal, const xds::Workload* at_address) {
  if (IsAt(principal, at_address)) return LabelsOf(*at_address);
  WorkloadLabels labels;
  if (!principal.empty()) labels.name_space = NamespaceOf(principal);
  return labels;
}

WorkloadLabels LabelsOfEndpoint(std::string_view principal, const xds::Workload* at_address,
                                const cluster::Host& endpoint) {
  if (IsAt(principal, at_address)) return LabelsOf(*at_address);
  const std::vector<std::string_view> parts = Split(endpoint.facts().istio_workload, ';');
  // An address with another workload's identity: its gateway, or the pod that has it next.
  const bool same = at_address == nullptr || principal == endpoint.facts().identity;
  if (parts.size() < 5 || !same) return LabelsOfPeer(principal, at_address);
  // workload;namespace;canonical name;revision;cluster
  WorkloadLabels labels{.workload = Known(parts[0]),
                        .name_space = Known(parts[1]),
                        .cluster = Known(parts[4]),
                        .canonical_service = Known(parts[2]),
                        .canonical_revision = parts[3].empty() ? "latest" : std::string(parts[3])};
  labels.app = labels.canonical_service;
  labels.version = labels.canonical_revision;
  return labels;
}

std::string_view ExpectedPrincipal(const cluster::Cluster* cluster, const cluster::Host& endpoint) {
  if (cluster == nullptr || cluster->TlsFor(endpoint) == nullptr) return {};
  return endpoint.facts().identity;
}

const Peer& CommonPeers::Find(const Question& question) {
  std::string service_key = std::string(question.service_namespace) + "/" + std::string(question.service_host);
  std::string key = std::string(question.name) + "\n" + service_key;
  if (answers_.size() >= kMost && !answers_.contains(key)) answers_.clear();
  const auto [at, is_new] = answers_.try_emplace(std::move(key));
  Answer& answer = at->second;
  const bool same = !answer.cluster.owner_before(question.cluster) && !question.cluster.owner_before(answer.cluster);
  if (!is_new && same && answer.index_revision == index_.revision()) return answer.peer;
  answer = {.cluster = question.cluster, .index_revision = index_.revision(), .peer = Make(question, service_key)};
  return answer.peer;
}

Peer CommonPeers::Make(const Question& question, const std::string& service_key) const {
  Common common;
  if (question.cluster != nullptr) {
    for (const cluster::PriorityHosts& priority : question.cluster->priorities) {
      for (const cluster::HostPtr& host : priority.all) {
        const std::string_view principal = ExpectedPrincipal(question.cluster.get(), *host);
        const cluster::WorkloadPtr workload = index_.FindWorkload(host->address().ip);
        common.Add({LabelsOfEndpoint(principal, workload.get(), *host), std::string(principal)});
      }
    }
  }
  if (common.any()) return common.Take();
  for (const cluster::WorkloadPtr& workload : index_.WorkloadsOf(service_key)) {
    const bool proves = workload->tls_mode == xds::TlsMode::kIstio;
    common.Add({LabelsOf(*workload), proves ? workload->Identity() : std::string()});
  }
  Peer peer = common.Take();
  if (!common.any()) {
    // Whoever came would have to prove who it is.
    if (question.cluster != nullptr && OffersMeshTls(*question.cluster)) peer.principal = kUnknown;
    // Pods of a Kubernetes service, when there are any, are in its namespace.
    const cluster::ServicePtr service = index_.FindService(question.service_host);
    const bool kubernetes = service != nullptr && service->canonical && service->Key() == service_key;
    if (kubernetes) peer.labels.name_space = question.service_namespace;
  } else if (IsSubset(question.name)) {
    // Which of the service's pods are the subset's is not known here.
    const WorkloadLabels none;
    peer.labels.workload = none.workload;
    peer.labels.version = none.version;
    peer.labels.canonical_revision = none.canonical_revision;
  }
  return peer;
}

}  // namespace plait::proxy::record
