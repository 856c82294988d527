#pragma once
// A stock Envoy as the proxy of one pod (annotation plait.dev/proxy: envoy, semantics.md 10): started in its network
// namespace beside the plait-proxy that keeps its identity, restarted when it dies, drained before it ends. Unlike
// plait-proxy it opens its sockets itself, so the pod's containers must not start before it is ready for the first
// time. Owned by its Pod.
#include <functional>
#include <memory>
#include <string>

#include "local/envoy_drain.h"
#include "local/log_file.h"
#include "local/mesh_context.h"
#include "local/prober.h"
#include "local/proxy_process.h"
#include "local/proxy_upkeep.h"

namespace plait::local {

class EnvoyProcess {
 public:
  struct Surroundings {  // of the pod; outlive it
    const PodSpec& pod;
    const PodNetwork& network;
    const ProxyProcess& identity;  // whose folder and socket it uses
    ProbeTarget& target;
  };
  EnvoyProcess(MeshContext& mesh, Surroundings around, std::function<void()> on_change);
  ~EnvoyProcess();

  // After the identity was started. Errors: there is no program, or a file cannot be written.
  Outcome<> Start();
  // Drains, then SIGTERM; SIGKILL after `grace`.
  void Stop(Duration grace);

  bool started() const noexcept { return started_; }
  bool ended() const noexcept { return stopping_ && pid_ == 0; }
  bool ready() const noexcept { return probe_ && probe_->healthy(); }
  pid_t pid() const noexcept { return pid_; }
  int restarts() const noexcept { return restarts_; }
  const std::string& reason() const noexcept { return reason_; }

 private:
  Outcome<> WriteBootstrap() const;
  void SpawnOne();
  void StartProbe();
  void OnEnded(ProcessEnd end);
  std::unique_ptr<io::Stream> DialAdmin();

  MeshContext& mesh_;
  Surroundings around_;
  std::function<void()> on_change_;
  std::string program_;
  std::unique_ptr<LogFile> log_;
  std::unique_ptr<Prober> probe_;  // of the process that runs; null: none runs
  std::unique_ptr<EnvoyDrain> drain_;
  std::string reason_ = "proxy not started yet";
  bool started_ = false;
  bool stopping_ = false;
  pid_t pid_ = 0;
  int restarts_ = 0;
  BackOff back_off_{kProxyBackOff};
  MonotonicTime running_since_;
  io::Timer restart_;
  io::Timer kill_;
  Pending end_;
};

// Whether the pod asks for an Envoy. Errors: a value that is unknown, or a pod that cannot have one.
Outcome<bool> WantsEnvoy(const PodSpec& pod);

}  // namespace plait::local
