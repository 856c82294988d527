#pragma once
// The containers of one pod in the order of Kubernetes: those of initContainers one after the other, a sidecar among
// them as soon as it has started, then the application's side by side (but one after another's postStart). At the end
// the other way round: the application's first, then the sidecars, the last one first, so that none misses what it
// needs. Owned by its Pod.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "local/container.h"
#include "local/desired.h"

namespace plait::local {

class PodContainers {
 public:
  // `on_change` may be called from within Start.
  PodContainers(MeshContext& mesh, Container::Surroundings around, std::function<void()> on_change);

  void Start();  // once
  void Stop(Duration grace);
  // The hooks preStop of all at once, at most for `limit`: Stop follows.
  void PreStop(Duration limit);
  bool in_pre_stop() const;

  bool empty() const noexcept { return application_.empty(); }
  bool begun() const noexcept { return begun_; }
  bool ready() const;                   // the application's and the sidecars are
  bool ended() const;                   // for good: the pod's work is done, failed, or was stopped
  void Describe(PodStatus& out) const;  // phase, restarts and reason, as Kubernetes words them
  pid_t pid() const;                    // of the first that runs, the application's before the others; 0: none
  Container* Find(const std::string& name) const;  // "" = the application's first; null: there is none
  const std::vector<std::unique_ptr<Container>>& init() const noexcept { return init_; }
  const std::vector<std::unique_ptr<Container>>& application() const noexcept { return application_; }

 private:
  void OnChange();
  void StartNext();
  void StopSidecars();      // once nobody needs them
  bool InitFailed() const;  // one that is not tried again: the application's are never started
  bool WorkEnded() const;   // nothing but sidecars is left

  MeshContext& mesh_;
  const Duration grace_;           // of the pod
  MonotonicTime stop_deadline_{};  // once it is stopped
  std::function<void()> on_change_;
  std::vector<std::unique_ptr<Container>> init_;
  std::vector<std::unique_ptr<Container>> application_;
  std::size_t init_begun_ = 0;         // how many of init_
  std::size_t application_begun_ = 0;  // how many of application_
  bool begun_ = false;
  bool stopping_ = false;
};

}  // namespace plait::local
