#pragma once
// Names in this process: DNS for the workload on the inherited capture sockets, and the resolver of DNS clusters.
// Both know the mesh from the destination index and ask the host's resolvers for everything else. Main thread.
#include <memory>
#include <string>

#include "core/io/loop.h"
#include "core/telemetry/registry.h"
#include "core/xds/bootstrap.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/dns/dns_server.h"
#include "proxy/dns/forwarder.h"
#include "proxy/dns/resolver.h"
#include "proxy/upstream/connector.h"
#include "proxy/worker/sockets.h"

namespace plait::proxy::worker {

// What the id of a node says: "sidecar~IP~POD.NS~NS.svc.cluster.local".
struct NodePlace {
  std::string ip;
  std::string domain = "cluster.local";
  std::string name_space;
};
NodePlace PlaceOf(const xds::Node& node);

class NameService {
 public:
  struct Options {
    std::string more_hosts;  // names of DNS clusters beside those of /etc/hosts; may be empty
    std::string helper;      // that connects to resolvers over TCP; empty: this process does
  };
  // Takes the sockets "15053-*" and "resolver-udp-*"; without resolvers, the nameservers of /etc/resolv.conf. All
  // outlive it.
  NameService(io::Loop& loop, const xds::Node& node, const cluster::DestinationIndex& index,
              telemetry::Registry& registry, Sockets& sockets, Options options);
  cluster::NameResolver& resolver() noexcept { return resolver_; }
  const dns::DnsIndex& index() const noexcept { return index_; }
  // Begins to answer; until then questions wait in their sockets. Not before the index has come: an application that
  // starts beside its proxy must not hear that a name of the mesh does not exist.
  void Serve();
  void Stop();  // answers nothing more, also if it has not begun

 private:
  io::Loop& loop_;
  telemetry::Registry& registry_;
  const std::string domain_;
  dns::MeshDnsIndex index_;
  const std::unique_ptr<upstream::Connector> connector_;  // to resolvers over TCP
  dns::Forwarder forwarder_;
  dns::Resolver resolver_;
  dns::DnsSockets capture_;  // until Serve
  std::unique_ptr<dns::DnsServer> server_;
};

}  // namespace plait::proxy::worker
