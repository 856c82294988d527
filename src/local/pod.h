#pragma once
// One pod of the mesh from its addresses to its end. Everything that could be hijacked (rules, sockets) stands before
// the first process; proxy and containers start side by side, since connections wait in the sockets' backlog (with an
// Envoy, which opens its sockets itself, the containers wait for it).
// Its end loses no request: callers are told first, then preStop runs, then the proxy drains while the application
// still serves, then the containers get SIGTERM. Owned by the Supervisor.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "local/capture_guard.h"
#include "local/desired.h"
#include "local/envoy_process.h"
#include "local/ephemeral_containers.h"
#include "local/mesh_context.h"
#include "local/pod_containers.h"
#include "local/proxy_process.h"

namespace plait::local {

class Pod final : public ProbeTarget {
 public:
  enum class State : std::uint8_t {
    kPending,    // no network yet, or waiting for plaitd -> kRunning
    kRunning,    // -> kCompleted, kLeaving
    kCompleted,  // its containers have ended for good by their policy, and its proxy with them -> kLeaving
    kLeaving,    // callers are being told -> kPreStop
    kPreStop,    // its containers' hooks run, while all of it still serves -> kDraining
    kDraining,   // its proxy drains -> kStopping
    kStopping,   // containers have SIGTERM -> kGone
    kGone,       // nothing of it is left; the supervisor drops it
  };

  Pod(MeshContext& mesh, PodSpec spec, std::function<void()> on_change);
  ~Pod() override;

  void Start();
  void StartProxy();  // when plaitd has said hello; harmless before and after. What fails (a full disk) is tried again
  // A new process takes over: a gateway's sockets changed, or somebody wants it. Errors: there is none that runs.
  Outcome<> ReplaceProxy();
  bool LacksPorts() const;  // a gateway whose proxy was started with other ports than it serves now
  // Of an Envoy, whose certificate the process beside it keeps; a plait-proxy renews its own (POST /plait/renew).
  Outcome<> RenewIdentity();
  void Remove();   // in order, as one pod of a living mesh
  void StopAll();  // with the whole mesh: everything gets SIGTERM now

  const PodSpec& spec() const noexcept { return spec_; }
  State state() const noexcept { return state_; }
  bool ready() const;
  PodStatus Status() const;
  pid_t pid() const;  // of the first container, else of the proxy
  const PodContainers* containers() const noexcept { return containers_.get(); }  // null: it has no network yet
  const std::vector<io::IpAddress>& ips() const noexcept { return network_.ips; }
  pid_t proxy_pid() const noexcept { return envoy_ ? envoy_->pid() : proxy_ ? proxy_->pid() : 0; }
  // Runs a command in a container of it, the first for "". In a pod that is a proxy alone, and for istio-proxy, it is
  // one made for the command: beside the proxy, never in its own.
  Outcome<Joined> Exec(const std::string& container, JoinPlan plan);
  // As PodNetworks::CheckCapture.
  Outcome<std::string> CheckCapture();
  // A socket connected (or connecting) to `port` on the workload's own loopback, unmarked by capture.
  Outcome<io::UniqueFd> DialLoopback(Port port);

 private:
  std::unique_ptr<io::Stream> ConnectTo(Port port, Duration timeout) override;
  Pending RunInside(const std::string& container, const std::vector<std::string>& argv,
                    std::move_only_function<void(int)> done) override;
  std::string Host() const override;
  Outcome<> MakeSurroundings();  // volumes, then the network
  Outcome<> MakeNetwork();
  Container* FindContainer(const std::string& name);  // "" = the application's first; null: there is none
  bool ProxyReady() const { return envoy_ ? envoy_->ready() : !proxy_ || proxy_->ready(); }
  void Changed();
  void StopProxy();
  void Advance();  // the only place that changes state_ while the pod ends
  bool ContainersEnded() const { return !containers_ || containers_->ended(); }

  MeshContext& mesh_;
  const PodSpec spec_;
  std::function<void()> on_change_;
  State state_ = State::kPending;
  std::string reason_;
  PodNetwork network_;
  std::unique_ptr<CaptureGuard> guard_;  // null: there is nothing to compare, or nothing is captured
  PodVolumes volumes_;
  std::unique_ptr<ProxyProcess> proxy_;  // beside an Envoy: its identity
  std::unique_ptr<EnvoyProcess> envoy_;  // null: the proxy is a plait-proxy
  std::unique_ptr<PodContainers> containers_;
  EphemeralContainers ephemeral_;
  MonotonicTime pre_stop_since_{};
  Duration pre_stop_took_{};
  io::Timer step_;
  io::Timer retry_;  // of Start, then of StartProxy
};

}  // namespace plait::local
