#pragma once
// Containers that a pod does not declare, made for one command each (as Kubernetes' ephemeral containers are for
// debugging): the way into a workload whose only process is its proxy. They see and may what an application of the
// pod would, and nothing of the proxy but its ports. Owned by the Pod, with which they end.
#include <vector>

#include "core/io/unique_fd.h"
#include "local/join_container.h"
#include "local/mesh_context.h"

namespace plait::local {

class EphemeralContainers {
 public:
  EphemeralContainers() = default;
  EphemeralContainers(const EphemeralContainers&) = delete;
  EphemeralContainers& operator=(const EphemeralContainers&) = delete;
  ~EphemeralContainers();

  // In the pod's network, which exists.
  Outcome<Joined> Run(const MeshContext& mesh, const PodSpec& pod, const PodNetwork& network, JoinPlan plan);

 private:
  std::vector<io::UniqueFd> helpers_;  // pidfds: a number may be another process's by now
};

}  // namespace plait::local
