#pragma once
// The mesh's network (local-network.md 1): pid 1's namespace is the router (plait0, 10.244.0.1 and fd00:10:244::1),
// each workload has a namespace with one link, /32 and /128 addresses and fixed neighbours. Nothing is switched and
// nothing is resolved, so hundreds of workloads need no host-wide limit. Owned by the supervisor; its thread only.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/address.h"
#include "local/pod_network.h"
#include "node/nft.h"
#include "node/route_netlink.h"

namespace plait::local {

class MeshNetwork final : public PodNetworks {
 public:
  // Makes the calling process's own, fresh network namespace the router.
  // `named`: " --name shop", that the commands of its hints need to mean the mesh.
  static Outcome<std::unique_ptr<MeshNetwork>> Make(std::string named = "");

  // 3 to 4 ms.
  Outcome<PodNetwork> Add(const Wanted& wanted) override;
  void Remove(PodNetwork& pod) override;
  Outcome<std::string> CheckCapture(const PodNetwork& pod) override;
  std::string RestoreCapture(PodNetwork& pod) override;
  io::SocketAddress ControlAddress() const override;
  std::vector<io::Cidr> DialledDirectly() const override { return Ranges(); }
  // One nftables transaction in a workload's namespace.
  Outcome<> Load(int netns, const std::string& commands);

  static io::IpAddress RouterIp();
  static std::vector<io::Cidr> Ranges();  // of all workloads

 private:
  MeshNetwork(io::UniqueFd home, node::RouteSocket routes) : PodNetworks(std::move(home)), routes_(std::move(routes)) {}
  Outcome<> MakeRouter();
  Outcome<> Link(PodNetwork& pod);
  Outcome<> SetUpInside(PodNetwork& pod, const Wanted& wanted);
  Outcome<> Capture(PodNetwork& pod, const node::CaptureRules& rules);
  Outcome<std::string> List(bool services);  // of the namespace that the thread is in
  Outcome<std::string> Difference(const PodNetwork& pod);
  Outcome<> LeadBeyondRouter(const PodNetwork& pod, bool leads);
  std::uint16_t NextNumber();

  node::RouteSocket routes_;
  node::Nft nft_;
  std::string named_;
  std::map<std::string, std::weak_ptr<const PodNetwork::Rules>> listed_;  // by their commands
  int bridge_ = 0;
  bool has_v6_ = true;
  std::uint16_t last_number_ = 1;
  std::vector<bool> in_use_ = std::vector<bool>(65536, false);
};

}  // namespace plait::local
