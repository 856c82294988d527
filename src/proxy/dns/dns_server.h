#pragma once
// DNS on 15053 (UDP and TCP, IPv4 and IPv6): answers names of the mesh from the index, sends everything else to the
// host's resolvers through sockets that are connected to them already. Main thread.
#include <memory>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/unique_fd.h"
#include "proxy/dns/dns_index.h"

namespace plait::telemetry {
class Registry;
}

namespace plait::proxy::dns {

struct DnsServerOptions {
  std::string domain = "cluster.local";        // of the cluster: <svc>.<ns>.svc.<domain>
  std::string name_space;                      // of this workload: "reviews" means reviews.<name_space>.svc.<domain>
};

class DnsServer {
 public:
  // `udp` and `tcp`: bound (TCP: listening) non-blocking sockets, owned from now on. `resolver_udp`, `resolver_tcp`:
  // connected to resolvers; none: names outside of the mesh get SERVFAIL. `index` outlives the server.
  DnsServer(io::Loop& loop, DnsServerOptions options, const DnsIndex& index, telemetry::Registry& registry,
            std::vector<io::UniqueFd> udp, std::vector<io::UniqueFd> tcp, std::vector<io::UniqueFd> resolver_udp,
            std::vector<io::UniqueFd> resolver_tcp);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::proxy::dns
