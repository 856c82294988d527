#include "control/model/snapshot.h"

#include <algorithm>

namespace plait::control::model {

Snapshot::Snapshot(std::vector<ObjectRef> objects, Workloads workloads, const SnapshotOptions& options)
    : objects_(std::move(objects)), workloads_(std::move(workloads)), options_(options), mesh_(options.mesh) {
  if (!workloads_) workloads_ = std::make_shared<const std::vector<Workload>>();
  // The order in which files were read must not matter.
  std::stable_sort(objects_.begin(), objects_.end(),
                   [](const ObjectRef& a, const ObjectRef& b) { return MetaOf(*a).key < MetaOf(*b).key; });
  ReadMeshConfig();
  for (const Node* node : ObjectsOf<Node>(objects_)) nodes_.emplace(node->meta.name(), node);
  // Before the services: their endpoints say where a gateway listens and whether a server takes mutual TLS.
  gateways_ = OldestFirst<Gateway>(objects_);
  IndexPolicies();
  IndexServices();
  IndexRules();
}

void Snapshot::ReadMeshConfig() {
  for (const ConfigMap* map : ObjectsOf<ConfigMap>(objects_)) {
    if (map->meta.name_space() != options_.mesh.root_namespace) continue;
    if (map->networks) networks_ = *map->networks;
    if (!map->mesh) continue;
    const std::string root = options_.mesh.root_namespace;
    mesh_ = *map->mesh;
    mesh_.cluster_domain = options_.mesh.cluster_domain;
    // Without a word of its own the namespace in which it was found is the root; the trust domain is the CA's.
    if (mesh_.root_namespace == MeshConfig{}.root_namespace) mesh_.root_namespace = root;
    if (mesh_.trust_domain == MeshConfig{}.trust_domain) mesh_.trust_domain = options_.mesh.trust_domain;
  }
  asked_trust_domain_ = mesh_.trust_domain;
  if (!options_.trust_domain.empty()) mesh_.trust_domain = options_.trust_domain;
  access_log_by_default_ = options_.access_log_by_default && mesh_.access_log_file.empty();
  if (access_log_by_default_) mesh_.access_log_file = "/dev/stdout";
}

std::string Snapshot::LocalityOf(const Workload& workload) const {
  if (const auto label = workload.labels.find("istio-locality"); label != workload.labels.end()) {
    std::string out = label->second;  // a label has no slash: dots stand for them
    if (out.find('/') == std::string::npos) std::replace(out.begin(), out.end(), '.', '/');
    return out;
  }
  const auto node = nodes_.find(workload.node);
  return node == nodes_.end() ? "" : node->second->locality;
}

const MeshNetwork* Snapshot::FindNetwork(std::string_view name) const noexcept {
  const auto found = std::find_if(networks_.begin(), networks_.end(),
                                  [&](const MeshNetwork& network) { return network.name == name; });
  return found == networks_.end() ? nullptr : &*found;
}

std::string Snapshot::NetworkOf(const Workload& workload) const {
  if (const auto label = workload.labels.find("topology.istio.io/network"); label != workload.labels.end())
    return label->second;
  if (!workload.ips.empty())
    if (std::string network = NetworkOf(workload.ips.front()); network != options_.network) return network;
  for (const MeshNetwork& network : networks_)
    if (std::find(network.registries.begin(), network.registries.end(), options_.cluster_id) !=
        network.registries.end())
      return network.name;
  return options_.network;
}

// The network with the longest range that holds the address.
std::string Snapshot::NetworkOf(const io::IpAddress& ip) const {
  const MeshNetwork* best = nullptr;
  int length = -1;
  for (const MeshNetwork& network : networks_)
    for (const io::Cidr& range : network.ranges)
      if (range.Contains(ip) && range.length > length) {
        best = &network;
        length = range.length;
      }
  return best ? best->name : options_.network;
}

std::string Snapshot::IdentityOf(std::string_view name_space, std::string_view service_account) const {
  return "spiffe://" + mesh_.trust_domain + "/ns/" + std::string(name_space) + "/sa/" + std::string(service_account);
}

SnapshotRef Snapshot::Build(std::vector<ObjectRef> objects, Workloads workloads, const SnapshotOptions& options) {
  auto snapshot = std::shared_ptr<Snapshot>(new Snapshot(std::move(objects), std::move(workloads), options));
  for (Finding& missing : CheckReferences(*snapshot)) snapshot->findings_.push_back(std::move(missing));
  const Findings& delegates = snapshot->delegations_.findings;
  snapshot->findings_.insert(snapshot->findings_.end(), delegates.begin(), delegates.end());
  for (Finding& conflict : CheckConflicts(*snapshot)) snapshot->findings_.push_back(std::move(conflict));
  return snapshot;
}

}  // namespace plait::control::model
