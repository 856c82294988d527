#pragma once
// What the parts of the supervisor share: owned by the Supervisor, outlives all pods. One loop thread.
#include <string>

#include "core/io/loop.h"
#include "core/io/unique_fd.h"
#include "local/cluster_ips.h"
#include "local/confine.h"
#include "local/desired.h"
#include "local/launch.h"
#include "local/log_file.h"
#include "local/mode.h"
#include "local/paths.h"
#include "local/pod_network.h"
#include "local/reaper.h"
#include "local/resolver_sockets.h"

namespace plait::local {

// What `plait up` was asked for; travels to the supervisor as its first message.
struct UpOptions {
  MeshPaths paths;
  std::string directory;    // absolute
  std::string search_path;  // the user's PATH: programs that are not beside the plait binary
  int concurrency = 2;      // of each proxy
  Mode mode = Mode::kRootless;
  std::string mode_reason;      // why this one, for the person
  bool confine_proxies = true;  // false: for debuggers and profilers
  std::string envoy;            // $PLAIT_ENVOY: the program for plait.dev/proxy: envoy; empty: `envoy` on search_path
  friend bool operator==(const UpOptions&, const UpOptions&) = default;
};

struct MeshContext {
  io::Loop& loop;
  Reaper& reaper;
  PodNetworks& networks;
  ClusterIps* cluster_ips = nullptr;  // null: mode loopback
  ResolverSockets& resolvers;
  const UpOptions& options;
  const SyscallFilter& filter;
  Ids ids;
  int init = -1;                              // plait-init, opened
  Hello hello;                                // of plaitd; root_pem empty until it came
  std::vector<ServerPort> server_ports = {};  // of all gateways
  // Open host sockets of those that are on the host, by the port's decimal number.
  std::vector<node::NamedSocket> gateway_sockets;
  int gateway_sockets_missing = 0;   // that were asked for; a gateway does not start before they are here
  LogLosses log_losses = {};         // for `plait status`
  std::vector<MeshHost> hosts = {};  // all of the mesh, as plaitd knows them now
};

}  // namespace plait::local
