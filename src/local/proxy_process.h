#pragma once
// plait-proxy of one pod: started in its network namespace with the sockets that the supervisor holds, restarted when
// it dies (connections wait in the backlog meanwhile), replaced when its set of sockets grows: the one before serves
// until the new one has its configuration. Owned by its Pod.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "local/bootstrap.h"
#include "local/log_file.h"
#include "local/mesh_context.h"
#include "local/prober.h"
#include "local/proxy_upkeep.h"
#include "local/replaced_processes.h"
#include "local/successor.h"

namespace plait::local {

class ProxyProcess {
 public:
  // kIdentity: beside an Envoy (--identity-only); EnvoyProcess tells whether the workload's proxy is ready.
  enum class Role : std::uint8_t { kProxy, kIdentity };
  ProxyProcess(MeshContext& mesh, const PodSpec& pod, const PodNetwork& network, ProbeTarget& target,
               std::function<void()> on_change, Role role = Role::kProxy);
  ~ProxyProcess();

  // Writes bootstrap, roots and token, then starts. Needs plaitd's hello.
  Outcome<> Start();
  // A new process takes over the sockets once it is ready; then the old one drains. One that does not become ready is
  // told by reason(). Errors: none runs.
  Outcome<> Replace();
  // Of a gateway: the last process was started with the sockets of all ports that it serves now, and with no port of
  // the host that leads to another gateway.
  bool HasItsPorts() const;
  // kIdentity: the process ends at once and another one gets a new key and certificate. Errors: none runs.
  Outcome<> StartAfresh();
  // SIGTERM: it drains and ends. SIGKILL after `grace`.
  void Stop(Duration grace);

  bool started() const noexcept { return started_; }
  bool ended() const noexcept { return stopping_ && pid_ == 0; }
  bool ready() const noexcept { return role_ == Role::kIdentity ? pid_ != 0 : probe_ && probe_->healthy(); }
  pid_t pid() const noexcept { return pid_; }
  int restarts() const noexcept { return restarts_; }
  const std::string& token_sha256() const noexcept { return token_sha256_; }
  const std::string& reason() const noexcept {
    return !not_replaced_.empty() ? not_replaced_ : !reason_.empty() ? reason_ : not_opened_;
  }
  // What a proxy beside it reads: its folder, and there the mesh's roots and the socket of SDS (kIdentity).
  BootstrapInput Input() const;
  std::string Folder() const;
  std::string SdsSocket() const { return Folder() + "/sds"; }

 private:
  Outcome<> WriteFiles();
  // Beside the host's sockets for a gateway's server ports: the same ports at the pod's own addresses, where callers in
  // the mesh find it (a Service that selects it; the gateway of a network).
  void OpenServerPorts();
  // With fresh sockets to the host's resolvers, which come in a later round.
  void SpawnOne();
  // `ready`: where a process says that it can take the place of the one that runs; -1: none runs.
  Outcome<pid_t> SpawnWith(const std::vector<node::NamedSocket>& resolvers, int ready);
  Outcome<> SpawnSuccessor(const std::vector<node::NamedSocket>& resolvers);
  void Adopt(pid_t pid);  // it is the proxy from now on
  void TakeOver();
  void KeepThisOne(const std::string& why);
  pid_t DropSuccessor();  // its process, which nobody waits for any more; 0: there is none
  void OnEnded(ProcessEnd end);

  MeshContext& mesh_;
  const PodSpec& pod_;
  const PodNetwork& network_;
  std::function<void()> on_change_;
  std::unique_ptr<LogFile> log_;
  std::unique_ptr<Prober> probe_;
  ProbeTarget& target_;
  const Role role_;
  std::vector<node::NamedSocket> server_ports_;
  std::set<std::string> handed_;  // of a gateway: the ports that its last process was started with
  std::string token_;
  std::string token_sha256_;
  std::string reason_;
  std::string not_opened_;    // of a gateway: which port of its own address somebody else has
  std::string not_replaced_;  // why the last process that should have taken over did not
  bool started_ = false;
  bool stopping_ = false;
  bool afresh_ = false;
  pid_t pid_ = 0;
  int restarts_ = 0;
  BackOff back_off_{kProxyBackOff};
  MonotonicTime running_since_;
  io::Timer restart_;
  io::Timer kill_;
  Pending end_;
  std::unique_ptr<Successor> successor_;
  ReplacedProcesses replaced_;
  Pending resolvers_;
};

}  // namespace plait::local
