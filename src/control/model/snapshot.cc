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
  IndexPolicies();  // before the services: endpoints say whether their server takes mutual TLS
  IndexServices();
  IndexRules();
}

void Snapshot::ReadMeshConfig() {
  for (const ConfigMap* map : ObjectsOf<ConfigMap>(objects_)) {
    if (!map->mesh || map->meta.name_space() != options_.mesh.root_namespace) continue;
    const std::string root = options_.mesh.root_namespace;
    mesh_ = *map->mesh;
    mesh_.cluster_domain = options_.mesh.cluster_domain;
    // The map was found in this namespace, so it is the root; the trust domain is the CA's.
    mesh_.root_namespace = root;
    if (mesh_.trust_domain == MeshConfig{}.trust_domain) mesh_.trust_domain = options_.mesh.trust_domain;
  }
  if (options_.access_log_by_default && mesh_.access_log_file.empty()) mesh_.access_log_file = "/dev/stdout";
}

std::string Snapshot::IdentityOf(std::string_view name_space, std::string_view service_account) const {
  return "spiffe://" + mesh_.trust_domain + "/ns/" + std::string(name_space) + "/sa/" + std::string(service_account);
}

SnapshotRef Snapshot::Build(std::vector<ObjectRef> objects, Workloads workloads, const SnapshotOptions& options) {
  auto snapshot = std::shared_ptr<Snapshot>(new Snapshot(std::move(objects), std::move(workloads), options));
  snapshot->findings_ = CheckReferences(*snapshot);
  const Findings& delegates = snapshot->delegations_.findings;
  snapshot->findings_.insert(snapshot->findings_.end(), delegates.begin(), delegates.end());
  return snapshot;
}

}  // namespace plait::control::model
