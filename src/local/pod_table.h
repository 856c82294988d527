#pragma once
// The pods of the mesh: those that plaitd wants, and those that still end. Owned by the Supervisor; its thread only.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "local/desired.h"
#include "local/mesh_context.h"
#include "local/mesh_status.h"
#include "local/pod.h"

namespace plait::local {

class PodTable {
 public:
  // `on_change`: a pod has come, or one is in another state.
  PodTable(MeshContext& mesh, std::function<void()> on_change);

  // All that plaitd wants from now on: what is not there is started, what is not named is removed in order.
  void Want(std::vector<PodSpec> wanted);
  void StartProxies();      // plaitd has said hello
  void OnGatewaySockets();  // all that were asked for have come, or gateways serve other ports
  void StopAll();           // with the mesh
  void Settle();            // once a round after changes: drops what is gone

  bool AllReady() const;
  bool AllGone() const;
  std::size_t size() const noexcept { return pods_.size(); }
  // As WhichPod says; of an owner's pods the first that is ready, else the first. Never null.
  Outcome<Pod*> Find(const std::string& workload) const;
  std::vector<PodStatus> Statuses() const;
  std::vector<RunningPod> Running() const;        // not longer than the pods live
  std::vector<WorkloadStatus> Workloads() const;  // by namespace and name

 private:
  void StartPod(PodSpec spec);
  void TellDns();

  MeshContext& mesh_;
  std::function<void()> on_change_;
  std::map<std::string, std::unique_ptr<Pod>> pods_;  // by uid
};

}  // namespace plait::local
