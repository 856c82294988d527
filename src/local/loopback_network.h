#pragma once
// Networks of pods on the host's own loopback, for hosts that let nobody make namespaces (`--net loopback`,
// semantics.md 8). A pod has an address 127.0.x.y, where its proxy listens on the ports that its containers declare,
// the application 127.1.x.y of the same x and y, and for each service of the mesh an address in 127.128.0.0/9 where the
// proxy takes what the application has for it. Nothing is captured: applications must listen and dial where they are
// told.
//
// All users and meshes of the host share these addresses; one that somebody has is passed over. Supervisor's thread.
#include <memory>
#include <string>
#include <vector>

#include "local/pod_network.h"

namespace plait::local {

class LoopbackNetwork final : public PodNetworks {
 public:
  LoopbackNetwork() : PodNetworks(io::UniqueFd()) {}

  // For pods that are added from now on: sockets are given to a proxy when it starts.
  void SetHosts(std::vector<MeshHost> hosts) { hosts_ = std::move(hosts); }
  // 20 microseconds a socket: one for each port of each service, and of the containers.
  Outcome<PodNetwork> Add(const Wanted& wanted) override;
  void Remove(PodNetwork& pod) override;
  Outcome<std::string> CheckCapture(const PodNetwork&) override { return ""; }
  std::string RestoreCapture(PodNetwork&) override { return ""; }
  io::SocketAddress ControlAddress() const override;
  std::vector<io::Cidr> DialledDirectly() const override { return {}; }

 private:
  Outcome<> TakeAddress(PodNetwork& pod, const Wanted& wanted);
  Outcome<> OpenInbound(PodNetwork& pod, const Wanted& wanted);
  Outcome<> OpenOutlets(PodNetwork& pod);
  Outcome<> OpenOutlet(PodNetwork& pod, const MeshHost& host);

  std::vector<MeshHost> hosts_;
  std::uint16_t last_number_ = 0;
  std::uint32_t last_outlet_ = 0;
  std::vector<bool> in_use_ = std::vector<bool>(65536, false);
};

}  // namespace plait::local
