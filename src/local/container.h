#pragma once
// One container of a pod: starts its process, runs its hooks, keeps its log, probes it, restarts it by the pod's policy
// with back-off, and ends it with preStop, SIGTERM, grace period and SIGKILL. Owned by its Pod.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "local/back_off.h"
#include "local/join_container.h"
#include "local/log_file.h"
#include "local/mesh_context.h"
#include "local/pod_volumes.h"
#include "local/prober.h"

namespace plait::local {

// So long a container has from SIGTERM on even if hooks, or those that end before it, have used up the pod's grace
// period, as Kubernetes gives it.
inline constexpr Duration kLeastGrace = std::chrono::seconds(2);

class Container final : private io::FdEvents {
 public:
  enum class State : std::uint8_t {
    kWaiting,   // not started yet, or between restarts -> kStarting
    kStarting,  // the setter works -> kRunning, or kWaiting when that failed
    kRunning,   // -> kWaiting (restart), kEnded
    kEnded,     // for ever: by policy, or because the pod stops
  };
  struct Surroundings {  // of the pod; outlive the container
    const PodSpec& pod;
    const PodNetwork& network;
    ProbeTarget& probe_target;
    const PodVolumes* volumes = nullptr;  // null: there are none
  };

  Container(MeshContext& mesh, const ContainerSpec& spec, Surroundings around, std::function<void()> on_change);
  ~Container() override;

  void Start();
  // preStop, unless it has run; then SIGTERM, SIGKILL after `grace` of it all; no restart any more.
  void Stop(Duration grace);
  // preStop alone, at most for `limit`: Stop follows. One that ends by it is not restarted.
  void PreStop(Duration limit);
  // Runs a command in it; the error says when it does not run.
  Outcome<Joined> Join(JoinPlan plan) const;

  const ContainerSpec& spec() const noexcept { return spec_; }
  State state() const noexcept { return state_; }
  bool started() const noexcept;  // runs, and its postStart has ended and its startup probe succeeded
  bool ready() const noexcept;
  bool stopping() const noexcept { return stopping_; }
  bool in_post_start() const noexcept;  // also before it runs: those after it wait
  bool in_pre_stop() const noexcept { return hooking_ == Hooking::kPreStop; }
  // One that was stopped before it ever ran has not.
  bool succeeded() const noexcept { return state_ == State::kEnded && last_end_ && last_end_->code == 0; }
  pid_t pid() const noexcept { return state_ == State::kRunning ? pid_ : 0; }
  int restarts() const noexcept { return restarts_; }
  std::string reason() const;  // why it is not running or not ready; empty when all is well

 private:
  void OnFdReady(std::uint32_t events) override;  // the setter's report
  void OnReport();
  void OnEnded(ProcessEnd end);
  void StartFailed(std::string why);
  void TellWhatLoopbackLacks();
  void RunPostStart();
  bool BeginPreStop(Duration limit);  // whether it runs now
  void OnPreStopEnded(const std::string& failure);
  void HookEnded();
  void CancelHook();
  void End(Duration grace);  // as Stop, of the process that runs
  void Terminate();
  void OnTimeIsUp();
  void StartProbes();
  void StartOtherProbes();  // once the startup probe has succeeded
  void Unhealthy(const char* probe, const std::string& why);
  ProbeSpec Named(ProbeSpec probe) const;
  void RestartLater();
  bool MayRestart(const ProcessEnd& end) const;
  void Kill();                                         // now, with everything that it has started
  std::string InPlace(const std::string& text) const;  // with ${plait...} replaced
  std::string FirstUnknown() const;                    // a ${plait...} that cannot be; empty: none
  std::vector<EnvVar> Variables() const;
  LaunchPlan PlanLaunch() const;

  MeshContext& mesh_;
  const ContainerSpec& spec_;
  Surroundings around_;
  std::function<void()> on_change_;
  State state_ = State::kWaiting;
  bool stopping_ = false;
  bool leaving_ = false;  // it is to be stopped soon
  bool started_ = false;  // since it runs: postStart has ended, there is no startup probe, or it has succeeded
  // Of the process that runs.
  enum class Hooking : std::uint8_t { kNone, kPostStart, kPreStop } hooking_ = Hooking::kNone;
  bool pre_stop_begun_ = false;
  bool ending_ = false;  // SIGTERM was sent, or comes once preStop has ended
  MonotonicTime end_by_{};
  std::string blame_;  // why it is ended; empty: not by a hook
  pid_t pid_ = 0;
  int restarts_ = 0;
  std::optional<ProcessEnd> last_end_;  // none: it has never run
  std::string reason_;                  // why it is not running, or what a probe says
  std::string told_;                    // the setter's report so far
  io::UniqueFd report_;
  std::unique_ptr<LogFile> log_;
  std::unique_ptr<Prober> startup_, readiness_, liveness_;
  BackOff back_off_;
  MonotonicTime running_since_;
  io::Timer restart_;
  io::Timer kill_;  // the end of the grace period, or of the time for preStop
  Pending setter_end_;
  Pending end_;
  Pending hook_;
};

}  // namespace plait::local
