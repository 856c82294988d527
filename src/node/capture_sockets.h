#pragma once
// The sockets of a proxy in its workload's network namespace. They are opened before any process of the workload runs
// and are held by the supervisor (or node agent), so that connections wait in the backlog while a proxy restarts, and
// so that no application can bind beside them (all share one host uid; none of them sets SO_REUSEPORT or, for UDP,
// SO_REUSEADDR).
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::node {

struct NamedSocket {
  std::string name;  // as in LISTEN_FDNAMES: "15001", "15053-udp4" ...
  io::UniqueFd fd;
};

// In the calling thread's namespace. `capture`: the sockets of a sidecar (15001, 15006, DNS); without it only those
// that a gateway has too (15000, 15020, 15021, 15090).
Outcome<std::vector<NamedSocket>> OpenProxySockets(bool capture);

}  // namespace plait::node
