#pragma once
// The network of one pod, and who makes them: a namespace each (mesh_network.h), or addresses of the host's loopback
// (loopback_network.h). Owned by the supervisor; its thread only.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/address.h"
#include "core/io/unique_fd.h"
#include "local/desired.h"
#include "node/capture_rules.h"
#include "node/capture_sockets.h"
#include "node/netns.h"

namespace plait::local {

// Where an application without capture reaches a service: a socket of its own proxy.
struct Outlet {
  std::string name;  // of the service
  std::string ns;
  bool kubernetes = false;  // a Service, not the host of a ServiceEntry
  std::string port_name;
  Port port;             // the service's
  io::SocketAddress at;  // where the proxy listens for it
  friend bool operator==(const Outlet&, const Outlet&) = default;
};

struct PodNetwork {
  std::uint16_t number = 0;        // of the host part of its addresses; 0: there is none
  std::vector<io::IpAddress> ips;  // v4, then v6 where this host has it
  io::UniqueFd netns;              // none: the host's
  // Where the application itself listens. In a namespace that is the pod's first address; on the loopback the pod's is
  // the proxy's, and the application has one beside it.
  io::IpAddress application;
  std::vector<node::NamedSocket> sockets;  // of the proxy; empty without one
  std::vector<Outlet> outlets;             // only where nothing is captured
  bool captured = false;                   // capture rules were loaded
  struct Rules {
    std::string commands;   // that loaded them
    std::string listed;     // they as they stood then (node/nft.h)
    bool services = false;  // among them the table of services, whose maps change
  };
  std::shared_ptr<const Rules> rules;  // pods with the same ones share them; null where they could not be listed
  io::UniqueFd rules_monitor;          // node/nft.h; none where nothing is captured
  std::string cut_off;                 // it leads to the router alone, since this is wrong with its rules

  bool exists() const noexcept { return number != 0; }
  std::vector<std::string> IpTexts() const;
  // Where `port` is dialled by who stands beside the workload, past its proxy: the proxy's own ports at the pod's
  // address, everything else at the application's.
  io::SocketAddress Inside(Port port) const;
};

class PodNetworks {
 public:
  // What a workload's network holds before its first process runs.
  struct Wanted {
    bool proxy_sockets = false;                 // those that each proxy has
    bool dns = false;                           // the proxy serves DNS to other workloads, at this one's addresses
    bool own_sockets = false;                   // the proxy is an Envoy: it takes no sockets but those of DNS
    const node::CaptureRules* rules = nullptr;  // null: nothing is captured
    std::vector<Port> ports;                    // that containers declare
  };
  virtual ~PodNetworks() = default;
  // Errors leave nothing behind.
  virtual Outcome<PodNetwork> Add(const Wanted& wanted) = 0;
  virtual void Remove(PodNetwork& pod) = 0;
  // What is missing of the workload's capture rules in the kernel, or is not ours; "" when they are as they were
  // loaded, and where nothing is captured. At most a few milliseconds. Errors: it cannot be told.
  virtual Outcome<std::string> CheckCapture(const PodNetwork& pod) = 0;
  // Loads the capture rules again, alone, where they are not as they were loaded, and returns what was wrong; "":
  // nothing. Where that does not mend them, the workload is cut off from the mesh until a later call does. Up to
  // 50 ms. Only where something is captured.
  virtual std::string RestoreCapture(PodNetwork& pod) = 0;
  // Where plaitd listens for the proxies.
  virtual io::SocketAddress ControlAddress() const = 0;
  // What proxies reach without the dial helper; empty: everything, there is none.
  virtual std::vector<io::Cidr> DialledDirectly() const = 0;

  // Runs `call` with the thread in the workload's network (to open a socket there).
  template <class Call>
  auto Within(const PodNetwork& pod, Call call) -> Outcome<decltype(call())> {
    if (!pod.netns) return call();
    auto scope = node::NetnsScope::Enter(pod.netns.get(), home_.get());
    if (!scope) return std::unexpected(scope.error());
    return call();
  }

 protected:
  explicit PodNetworks(io::UniqueFd home) : home_(std::move(home)) {}
  io::UniqueFd home_;  // the supervisor's own namespace; none: there are no others
};

}  // namespace plait::local
