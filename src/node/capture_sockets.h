#pragma once
// The sockets of a proxy in its workload's network namespace. They are opened before any process of the workload runs
// and are held by the supervisor (or node agent), so that connections wait in the backlog while a proxy restarts, and
// so that no application can bind beside them (all share one host uid; none of them sets SO_REUSEPORT or, for UDP,
// SO_REUSEADDR).
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/address.h"
#include "core/io/unique_fd.h"

namespace plait::node {

struct NamedSocket {
  std::string name;  // as in LISTEN_FDNAMES: "15001", "15053-udp4" ...
  io::UniqueFd fd;
};

// Which sockets a proxy needs beside those that each has (15000, 15020, 15021, 15090).
struct ProxySockets {
  bool capture = false;  // of a sidecar: 15001, 15006, and DNS on the loopback's port 15053
  // Serves DNS to other workloads: on port 53 of these addresses instead. The names stay those of 15053.
  std::vector<io::IpAddress> dns_at;
  bool dns_alone = false;  // beside an Envoy, which opens its own sockets: nothing but DNS
};

// In the calling thread's namespace.
Outcome<std::vector<NamedSocket>> OpenProxySockets(const ProxySockets& wanted);

}  // namespace plait::node
