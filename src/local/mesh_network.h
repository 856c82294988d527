#pragma once
// The mesh's network (local-network.md 1): pid 1's namespace is the router (plait0, 10.244.0.1 and fd00:10:244::1),
// each workload has a namespace with one link, /32 and /128 addresses and fixed neighbours. Nothing is switched and
// nothing is resolved, so hundreds of workloads need no host-wide limit. Owned by the supervisor; its thread only.
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/address.h"
#include "core/io/unique_fd.h"
#include "node/capture_rules.h"
#include "node/capture_sockets.h"
#include "node/netns.h"
#include "node/nft.h"
#include "node/route_netlink.h"

namespace plait::local {

struct PodNetwork {
  std::uint16_t number = 0;        // of the host part of its addresses
  std::vector<io::IpAddress> ips;  // v4, then v6 where this host has it
  io::UniqueFd netns;
  std::vector<node::NamedSocket> sockets;  // of the proxy; empty without one

  std::vector<std::string> IpTexts() const;
};

class MeshNetwork {
 public:
  // Makes the calling process's own, fresh network namespace the router.
  static Outcome<std::unique_ptr<MeshNetwork>> Make();

  // What a workload's namespace holds before its first process runs.
  struct Wanted {
    bool proxy_sockets = false;                 // those that each proxy has
    bool dns = false;                           // the proxy serves DNS to other workloads, at this one's addresses
    bool own_sockets = false;                   // the proxy is an Envoy: it takes no sockets but those of DNS
    const node::CaptureRules* rules = nullptr;  // null: nothing is captured
  };
  // 3 to 4 ms. Errors leave nothing behind.
  Outcome<PodNetwork> Add(const Wanted& wanted);
  void Remove(PodNetwork& pod);
  // One nftables transaction in a workload's namespace.
  Outcome<> Load(int netns, const std::string& commands);

  // Runs `call` with the thread in the workload's namespace (to open a socket there).
  template <class Call>
  auto Within(int netns, Call call) -> Outcome<decltype(call())> {
    auto scope = node::NetnsScope::Enter(netns, home_.get());
    if (!scope) return std::unexpected(scope.error());
    return call();
  }
  static io::IpAddress RouterIp();
  static std::vector<io::Cidr> Ranges();  // of all workloads

 private:
  MeshNetwork(io::UniqueFd home, node::RouteSocket routes) : home_(std::move(home)), routes_(std::move(routes)) {}
  Outcome<> MakeRouter();
  Outcome<> Link(PodNetwork& pod);
  Outcome<> SetUpInside(PodNetwork& pod, const Wanted& wanted);
  std::uint16_t NextNumber();

  io::UniqueFd home_;
  node::RouteSocket routes_;
  node::Nft nft_;
  int bridge_ = 0;
  bool has_v6_ = true;
  std::uint16_t last_number_ = 1;
  std::vector<bool> in_use_ = std::vector<bool>(65536, false);
};

}  // namespace plait::local
