#pragma once
// A worker: a thread with its event loop, its copy of the run-time configuration, its connections and pools. The main
// thread talks to it by Post; what it is given is immutable and shared. Nothing else is shared but counters and limits.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/io/loop.h"
#include "proxy/listen/compiled_listener.h"
#include "proxy/session/context.h"
#include "proxy/session/orphans.h"
#include "proxy/upstream/helper_connector.h"
#include "proxy/upstream/loopback_connector.h"
#include "proxy/worker/balance.h"
#include "proxy/worker/demands.h"
#include "proxy/worker/listener_handler.h"
#include "proxy/worker/sockets.h"
#include "proxy/worker/upstream_tls.h"

namespace plait::proxy::worker {

struct WorkerOptions {
  std::size_t index = 0;
  bool gateway = false;
  bool shared_sockets = false;  // more than one worker
  bool static_only = false;     // no xDS: what is not there does not exist
  upstream::DialHelperOptions dial_helper = {};
  upstream::LoopbackOptions loopback = {};
  Duration warming_limit = std::chrono::seconds(15);
  Duration drain_time = std::chrono::seconds(45);  // of requests that run when the root of their peer goes
};

class Worker {
 public:
  using MakeRecorder = std::function<std::unique_ptr<record::Recorder>(io::Loop&, const cluster::DestinationIndex&,
                                                                       cluster::ClusterSet&)>;
  using GiveAway = std::function<bool(std::size_t from, io::UniqueFd& socket, const std::string& listener)>;
  struct Shared {  // the process's; outlive the worker
    Secrets& secrets;
    Balance& balance;
    MainDemands& demands;
    MakeRecorder make_recorder;
    GiveAway give_away;
    const Sockets& sockets;  // their destinations
  };
  Worker(WorkerOptions options, Shared shared);
  ~Worker();  // stops and joins
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void StartThread();
  // Ends the thread. Workers give connections to each other, so all are stopped before the first one goes.
  void Stop();
  io::Loop& loop() noexcept { return loop_; }

  // Main thread; applied in the order of the calls.
  void ApplyClusters(cluster::ClusterUpdate update);
  void ApplyIndex(cluster::IndexUpdate update);
  void PutRoutes(std::string name, std::shared_ptr<const route::RouteTable> table);  // null: there is none of that name
  void ForgetRoutes(std::string name);
  void PutL4Routes(std::string name, std::shared_ptr<const xds::L4Routes> routes);
  void ForgetL4Routes(std::string name);
  // Adds or changes. `sockets` stay the process's and open until after RemoveListener, or a change to others.
  void PutListener(listen::ListenerPtr listener, std::vector<int> sockets);
  void RemoveListener(std::string name);
  // Takes one from `counter` when all that it was told before is done.
  void CountDown(std::shared_ptr<std::atomic<std::size_t>> counter);
  void Serve(io::UniqueFd socket, std::string listener, Balance::OnItsWay counted);
  // For the end of the process: accepts no more and lets connections end; connections() tells when none is left.
  void Drain();
  // Listeners go on accepting, and their HTTP connections end with their next answer. `inbound_only`: listeners with
  // that traffic direction.
  void BeginDrain(bool inbound_only);
  // Accepts no more; connections live on.
  void StopListeners(bool inbound_only);
  // While the process says that it is not healthy, HTTP connections end with their next answer.
  void SetHealthFailed(bool failed);
  // Secrets have changed: connections whose peers would be refused now are closed. Calls that come before the worker
  // has begun are one.
  struct Followers {
    bool sessions = false;  // not only own certificates have changed
    bool pools = false;
  };
  void FollowSecrets(Followers who);
  void CloseAll();
  std::uint32_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }

 private:
  void FollowInSessions();
  ListenerHandler* FindByAddress(const io::SocketAddress& address);
  void Sweep();
  void ServeEarly(const std::string& listener);

  const WorkerOptions options_;
  Shared shared_;
  io::Loop loop_;
  Random random_;
  cluster::ClusterSet clusters_;
  cluster::DestinationIndex index_;
  session::Tables tables_;
  UpstreamTls tls_;
  const std::unique_ptr<upstream::Connector> connector_;
  upstream::Pools pools_;
  session::Orphans orphans_;
  WorkerDemands demands_;
  std::unique_ptr<record::Recorder> recorder_;
  session::Context context_;
  ListenerHandler::Hooks hooks_;
  std::map<std::string, std::unique_ptr<ListenerHandler>, std::less<>> listeners_;
  std::vector<std::unique_ptr<ListenerHandler>> leaving_;  // removed, with connections that still end
  // Given by a worker that had the listener before this one did, by its name; until the second sweep after that.
  struct Early {
    io::UniqueFd socket;
    Balance::OnItsWay counted;
  };
  std::multimap<std::string, Early, std::less<>> early_, early_before_;
  std::atomic<std::uint32_t> connections_{0};
  std::atomic<std::uint8_t> to_follow_{0};  // what FollowSecrets has posted, as bits
  io::Timer sweep_;
  std::thread thread_;
};

}  // namespace plait::proxy::worker
