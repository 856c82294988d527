#pragma once
// Pid 1 of the mesh: hears from plaitd which pods there shall be (pod_table.h) and from `plait` which ports the host
// has, restarts plaitd, answers the command line, and ends, with everything in the mesh, when `plait` does. One loop
// thread.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/io/socket.h"
#include "local/control_server.h"
#include "local/loopback_network.h"
#include "local/mesh_context.h"
#include "local/mesh_network.h"
#include "local/outer_channel.h"
#include "local/plaitd_process.h"
#include "local/pod_table.h"

namespace plait::local {

class Supervisor final : private io::FdEvents, private ControlHandler {
 public:
  // `outer`: the socket to `plait`; `first`: its first message.
  Supervisor(io::Loop& loop, io::UniqueFd outer, ReceivedMessage first);
  ~Supervisor() override;

  Outcome<> Start();
  void Run() { loop_.Run(); }  // until the mesh has ended

 private:
  enum class State : std::uint8_t { kStarting, kReady, kDegraded, kStopping };  // kReady and kDegraded alternate

  void OnFdReady(std::uint32_t events) override;  // the outer socket
  void OnOuter(ReceivedMessage received);
  // The descriptors of this one could not be taken: it is asked for again.
  void OnLostDescriptors(const OuterMessage& message);
  void AskAgain();
  void OnPlaitdStarted();
  void OnPlaitd(PlaitdMessage message);
  Outcome<> MakeNetworks();
  void OnGatewayPorts(std::vector<ServerPort> ports);
  // The host's port of a gateway stays, since the same may be wanted again. Who connects while it is not is closed.
  void CloseAtUnserved();
  void OnPodChange();
  void Settle();  // once a round: status to plaitd, readiness, the dead
  bool AllReady() const;
  void OnNotice(const Notice& notice);
  void OnDefaults(std::vector<std::string> texts);
  void OnHello(Hello hello);
  void Tell(std::string severity, std::string text);  // of the supervisor's own
  void Send(std::string severity, std::string text);
  void ToOuter(OuterMessage message);
  void FlushToOuter();
  void Stop();

  // ControlHandler
  MeshStatus Status() override;
  Outcome<io::UniqueFd> Dial(const std::string& workload, Port port) override;
  Outcome<Joined> Exec(const std::string& workload, const std::string& container, JoinPlan plan) override;
  Outcome<> ReplaceProxy(const std::string& workload) override;
  Outcome<> RenewIdentity(const std::string& workload) override;
  Outcome<std::string> CheckCapture(const std::string& workload) override;
  void RemoveOverlay(const std::string& file) override;
  void Down() override;

  io::Loop& loop_;
  io::UniqueFd outer_;
  OuterSender to_outer_;
  UpOptions options_;
  Port debug_port_;
  io::UniqueFd init_;
  io::UniqueFd debug_listener_;
  io::UniqueFd lock_;  // held as long as the mesh lives
  Reaper reaper_;
  SyscallFilter filter_;
  std::unique_ptr<MeshNetwork> network_;       // null: mode loopback
  std::unique_ptr<ClusterIps> cluster_ips_;    // as well
  std::unique_ptr<LoopbackNetwork> loopback_;  // null: the other modes
  std::unique_ptr<ResolverSockets> resolvers_;
  std::unique_ptr<MeshContext> mesh_;
  std::vector<std::unique_ptr<io::Listener>> refusing_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<PlaitdProcess> plaitd_;
  std::unique_ptr<PodTable> pods_;
  std::vector<Notice> problems_;                 // of the configuration, as plaitd tells them; what was mended is gone
  std::vector<std::string> last_notices_;        // both bounded; for `plait status`
  std::vector<std::string> defaults_;            // as plaitd told them last
  std::map<std::uint16_t, Port> gateway_ports_;  // wanted -> on the host; 0 while asked for
  bool have_pods_ = false;                       // plaitd has said what it wants
  bool table_due_ = false;                       // it gets a status table whatever is in it
  // Status tables since plaitd started: that were sent, and that every proxy has heard of.
  std::uint64_t statuses_sent_ = 0, statuses_known_ = 0;
  bool settling_ = false;
  State state_ = State::kStarting;
  MonotonicTime started_;
  std::vector<PodStatus> sent_;
  std::vector<OuterMessage> lost_;  // what is asked for again after a while
  bool told_of_lost_ = false;       // since the last that was not
  Pending ask_again_;
  std::string last_plaitd_end_;    // why it ended, unless it has started since
  std::string last_plaitd_error_;  // why it does not start
  uid_t application_id_ = 0;
};

// `plait @supervisor <fd>`: main of pid 1. Returns the exit code.
int SupervisorMain(int outer);

}  // namespace plait::local
