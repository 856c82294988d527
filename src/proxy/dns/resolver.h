#pragma once
// Resolves host names of STRICT_DNS and LOGICAL_DNS clusters: literals, localhost, the hosts files, services and pods,
// then the forwarder's resolvers. Main thread.
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/unique_fd.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/dns/dns_index.h"
#include "proxy/dns/forwarder.h"

namespace plait::proxy::dns {

struct ResolverOptions {
  std::string hosts_file = "/etc/hosts";
  std::string more_hosts = {};  // a second file of that form; empty: none
};

class Resolver final : public cluster::NameResolver {
 public:
  // All outlive it; `mesh` may be null.
  Resolver(io::Loop& loop, Forwarder& forwarder, const DnsIndex* mesh, ResolverOptions options = {})
      : loop_(loop), forwarder_(forwarder), mesh_(mesh), options_(std::move(options)) {}
  // kAuto and kAll ask for both families: kAuto gives IPv6 addresses if there are any, as Envoy; kV4Preferred the
  // reverse.
  [[nodiscard]] Pending Resolve(const std::string& name, xds::DnsLookupFamily family, OnAnswer done) override;

 private:
  struct Lookup;
  std::vector<io::IpAddress> InHosts(const std::string& name) const;
  // What is known without asking anybody; none: `name`, which is the one that ExternalNames lead to then, is to be
  // asked for outside.
  std::optional<std::vector<io::IpAddress>> KnownHere(std::string& name) const;
  io::Loop& loop_;
  Forwarder& forwarder_;
  const DnsIndex* mesh_;
  const ResolverOptions options_;
};

// UDP sockets connected to the nameservers of a resolv.conf, for a proxy that was given none. `mark`: SO_MARK, so that
// capture leaves them alone (tolerated when not allowed).
std::vector<io::UniqueFd> ConnectToNameservers(const std::string& resolv_conf, std::uint32_t mark);

}  // namespace plait::proxy::dns
