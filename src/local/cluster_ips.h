#pragma once
// Addresses of services in the networks of workloads without a proxy, and of those that keep connections from theirs:
// what plaitd says of services, and the mesh's own DNS at 10.96.0.10, as nftables rules in each of those namespaces,
// changed as endpoints come and go. Owned by the Supervisor; one loop thread.
#include <map>
#include <string>
#include <vector>

#include "core/base/pending.h"
#include "core/io/loop.h"
#include "local/mesh_network.h"
#include "node/service_rules.h"

namespace plait::local {

class ClusterIps {
 public:
  ClusterIps(io::Loop& loop, MeshNetwork& network) : loop_(loop), network_(network) {}

  // The whole table, as plaitd has it now.
  void SetServices(std::vector<node::ServicePort> ports);
  // Where the mesh's DNS is served on port 53; empty: nowhere.
  void SetDns(std::vector<io::IpAddress> ips);

  // Loads what is known into a new network, at once; it gets changes until it is removed. `netns` outlives that.
  // 2 ms, and 0.3 ms for 1,000 elements.
  Outcome<> Add(const std::string& uid, int netns);
  // The same of a network whose capture rules have brought the table (node/capture_rules.h), empty.
  Outcome<> Fill(const std::string& uid, int netns);
  // The capture rules of a network have been loaded again, and the table with them.
  void FillAgain(const std::string& uid);
  void Remove(const std::string& uid) { networks_.erase(uid); }

  static std::vector<io::Cidr> Ranges();  // of all services
  // The service address that applications have in /etc/resolv.conf.
  static io::IpAddress DnsIp();

 private:
  struct Network {
    int netns = -1;
    node::ServiceElements loaded;
  };
  void Changed();
  void UpdateSoon();
  void UpdateNext();
  Outcome<> Update(Network& network);
  Outcome<> Change(Network& network);

  io::Loop& loop_;
  MeshNetwork& network_;
  std::vector<node::ServicePort> services_;
  std::vector<io::IpAddress> dns_;
  node::ServiceElements wanted_;
  std::map<std::string, Network> networks_;  // by uid of the pod
  Pending update_;
};

}  // namespace plait::local
