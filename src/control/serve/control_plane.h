#pragma once
// plaitd, wired: directories and the supervisor's channel in, snapshots, ADS and certificates out. One loop thread.
//
// A change of files or pods makes a new snapshot at the end of the round; each proxy is then told what differs for it.
// After a start no proxy is answered before files and the state of the pods are known, and no pod is wanted before the
// supervisor has said which there are, so a restart takes nothing away.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/ca/service.h"
#include "control/serve/ads_server.h"
#include "control/serve/debug.h"
#include "control/serve/mesh_provider.h"
#include "control/serve/secure_server.h"
#include "control/source/directory_source.h"
#include "control/source/folder_watch.h"
#include "control/source/pods.h"
#include "control/source/supervisor_channel.h"

namespace plait::control::serve {

struct ControlPlaneOptions {
  std::vector<std::string> directories;
  std::string state_dir;                       // CA, last good files
  std::string cacerts_dir = {};                // a plugged-in authority; empty: an own root in the state directory
  std::string trust_domain = "cluster.local";  // unless MeshConfig says otherwise
  std::string root_namespace = "istio-system";
  std::string version = "unknown";
  bool tell_hosts = false;                              // the supervisor hears of services and their addresses
  Duration send_timeout = AdsOptions{}.answer_timeout;  // a proxy that takes or answers nothing for so long is dropped
  // At most, between leaving the endpoints and being stopped, while a proxy that serves does not answer.
  Duration end_limit = std::chrono::seconds(30);
  std::vector<io::SocketAddress> listen = {};  // of xDS and CA, TLS
  std::optional<io::SocketAddress> debug_address = {};
  std::vector<io::InheritedFd> inherited = {};  // "15012", "15014", "supervisor"
};

class ControlPlane {
 public:
  // `on_end` is called when there is nothing more to do: the supervisor has gone.
  ControlPlane(io::Loop& loop, ControlPlaneOptions options, std::function<void()> on_end);
  ~ControlPlane();

  // Reads the configuration, loads the authority, listens. An error is also told to the supervisor.
  Outcome<> Start();
  io::SocketAddress xds_address() const noexcept { return xds_address_; }
  io::SocketAddress debug_address() const noexcept { return debug_address_; }
  const ca::Authority& authority() const noexcept { return *authority_; }
  // Ends streams after their running calls.
  void Drain(std::move_only_function<void()> done);

 private:
  Outcome<> StartServers();
  Outcome<> StartDebug();
  void StartChannel();
  io::UniqueFd TakeInherited(std::string_view name);
  void Changed(const char* what);
  void Rebuild();
  void ReloadAuthority();
  void SayHello();
  void PublishTokens();
  void TellSupervisor(const source::PodSets& sets, const model::Snapshot& snapshot);
  void TellFindings();
  void TellStatus();
  void TellCaughtUp();
  void TellPods();
  model::Findings Problems() const;
  model::Finding NothingRuns() const;
  bool KnowsPods() const;

  io::Loop& loop_;
  ControlPlaneOptions options_;
  std::function<void()> on_end_;
  Metrics metrics_;
  ca::TokenTable tokens_;
  ca::CaCounts ca_counts_;
  io::UniqueFd state_lock_;
  std::unique_ptr<ca::Authority> authority_;
  std::unique_ptr<source::FolderWatch> authority_watch_;
  std::unique_ptr<source::DirectorySource> files_;
  std::unique_ptr<source::PodsController> pods_;
  std::unique_ptr<source::SupervisorChannel> channel_;
  std::unique_ptr<MeshProvider> provider_;
  std::unique_ptr<AdsServer> ads_;
  std::unique_ptr<SecureServer> secure_;
  std::unique_ptr<DebugEndpoints> debug_;
  std::unique_ptr<conn::HttpServer> debug_server_;
  io::SocketAddress xds_address_, debug_address_;
  model::Findings template_findings_;
  std::optional<model::Finding> authority_finding_;  // why it could not be read again
  std::map<std::string, std::string> told_;          // findings that were logged and sent, with what they are of
  std::string told_status_ = "{}";                   // conflicts, as they were last logged
  io::Timer status_timer_;
  bool local_ = false;                // there is a supervisor
  std::uint64_t told_pods_ = 0;       // revision of the pods that the supervisor knows
  std::optional<bool> runs_already_;  // it has said whether pods of an earlier plaitd run
  bool status_known_ = false;         // and in which state they are
  // Status tables: that came, that the present snapshot is made of, and that all proxies are known to have heard of.
  std::uint64_t statuses_ = 0, statuses_in_snapshot_ = 0, statuses_told_ = 0;
  std::shared_ptr<const std::vector<model::Workload>> workloads_;  // of the present snapshot
  std::optional<MonotonicTime> changed_at_;
  bool refusals_due_ = false;  // to be told at the end of this round
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace plait::control::serve
