#pragma once
// plaitd's end of the channel to the supervisor of local mode (src/local), which is the kubelet to plaitd's API server:
// JSON, one object a line. plaitd says what should run, the supervisor what does. Lives on one loop.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/model/snapshot.h"
#include "control/source/pods.h"
#include "core/io/stream.h"

namespace plait::control::source {

struct Hello {
  std::string root_pem;
  std::uint16_t xds_port = 15012;
  std::string trust_domain;
  std::string error;  // empty: plaitd serves
};

// What comes: once, first of all, the pods that run already, as a plaitd before this one had told them (`ending`: they
// are being stopped); then the state of all pods, at each change of it.
using RunningPods = std::vector<DesiredPod>;
using PodStatuses = std::vector<PodStatus>;
using SupervisorMessage = std::variant<RunningPods, PodStatuses>;

class SupervisorChannel final : private io::StreamEvents {
 public:
  struct Events {
    std::function<void(RunningPods)> on_running;
    std::function<void(PodStatuses)> on_status;
    std::function<void(const char* why)> on_closed;  // nothing follows; plaitd ends
  };
  SupervisorChannel(std::unique_ptr<io::Stream> stream, Events events);
  ~SupervisorChannel() override;

  void Send(const Hello& hello);
  void Send(const std::vector<DesiredPod>& pods);  // the whole desired state; nothing is sent when it is the last one
  void SendMessage(std::string_view severity, std::string_view text);  // "info", "warning", "error", "mended", "retold"
  // What is in force because nobody says otherwise and is not Istio's default, a sentence each. Nothing is sent when it
  // is the last.
  void SendDefaults(const std::vector<std::string>& texts);
  // All connected proxies run what follows from the first `statuses` tables of pods that came over this channel.
  void SendCaughtUp(std::uint64_t statuses);
  void SendGatewayPorts(const std::vector<GatewayPort>& ports);
  // Services with their addresses and ports, for workloads that must be told where they reach them. Before the pods;
  // nothing is sent when it is the last.
  void SendHosts(const model::Snapshot& snapshot);
  // Addresses of services with their ready endpoints, for pods without a proxy. Nothing is sent when it is the last.
  void SendServices(const model::Snapshot& snapshot);

 private:
  void OnOpen() override { Flush(); }
  void OnReadable() override;
  void OnWritable() override { Flush(); }
  void OnFailed(Error error) override;
  void Flush();
  void Line(std::string line);
  void LineIfNew(std::string line, std::string& last);  // `last`: of its kind
  void TakeLines();

  std::unique_ptr<io::Stream> stream_;
  Events events_;
  Buffer in_;
  Buffer out_;
  std::string last_pods_;
  std::string last_defaults_;
  std::string last_ports_;
  std::string last_services_;
  std::string last_hosts_;
  bool closed_ = false;
};

// One line without its end. For tests and the channel.
std::string EncodeDesired(const std::vector<DesiredPod>& pods);
std::string EncodeServices(const model::Snapshot& snapshot);
std::string EncodeHosts(const model::Snapshot& snapshot);
Outcome<SupervisorMessage> DecodeSupervisorMessage(std::string_view line);

}  // namespace plait::control::source
