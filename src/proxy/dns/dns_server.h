#pragma once
// DNS on 15053 (UDP and TCP, IPv4 and IPv6): answers names of the mesh from the index, sends everything else to the
// host's resolvers through sockets that are connected to them already. Main thread.
#include <memory>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/unique_fd.h"
#include "core/telemetry/registry.h"
#include "proxy/dns/dns_index.h"

namespace plait::proxy::dns {

struct DnsServerOptions {
  std::string domain = "cluster.local";  // the zone of negative answers
  std::uint32_t ttl = 30;                // seconds
};
// `udp` bound, `tcp` listening, all non-blocking.
struct DnsSockets {
  std::vector<io::UniqueFd> udp, tcp;
};
class Forwarder;

class DnsServer {
 public:
  // Names outside of the mesh go to `forwarder`; without resolvers there they get SERVFAIL. All outlive the server.
  DnsServer(io::Loop& loop, DnsServerOptions options, const DnsIndex& index, Forwarder& forwarder,
            telemetry::Registry& registry, DnsSockets sockets);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plait::proxy::dns
