#pragma once
// The names of the mesh as DNS knows them. The real one reads the destination index.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/address.h"
#include "core/xds/address_index.h"

namespace plait::proxy::cluster {
class DestinationIndex;
}

namespace plait::proxy::dns {

struct ServiceTarget {  // for SRV
  std::uint16_t port = 0;
  std::string host;  // fully qualified, without the last dot
};

struct NameAnswer {
  bool ours = false;    // the name lies in the mesh's space: never forwarded
  bool exists = false;  // false with `ours`: NXDOMAIN; true with no address of the asked family: NODATA
  bool entry = false;   // the host of a ServiceEntry: its addresses may exist for captured connections alone
  std::vector<io::IpAddress> addresses;
  std::string alias;  // CNAME target (ExternalName); empty: none
  std::vector<ServiceTarget> targets;
};

class DnsIndex {
 public:
  virtual ~DnsIndex() = default;
  // `name`: lower case, without the last dot, at most 253 characters.
  virtual NameAnswer Find(std::string_view name) const = 0;
};

// Services, pods of headless services ("web-1.web.ns.svc.cluster.local", without a hostname "10-244-0-7.web..."), SRV
// names ("_http._tcp.web.ns.svc..."), hosts of ServiceEntries (also "*.example.com"), and the short forms "web",
// "web.ns" and "web.ns.svc" of names that exist.
class MeshDnsIndex final : public DnsIndex {
 public:
  // `domain`: of the cluster, "cluster.local"; `name_space`: of this workload. `index` outlives it.
  MeshDnsIndex(const cluster::DestinationIndex& index, std::string domain, std::string name_space);
  NameAnswer Find(std::string_view name) const override;

 private:
  NameAnswer FindInCluster(std::string_view below) const;  // the name without ".svc.<domain>"
  NameAnswer OfService(const xds::Service& service) const;
  NameAnswer OfPod(const xds::Service& service, std::string_view pod) const;
  NameAnswer OfPort(const xds::Service& service, std::string_view port, std::string_view protocol) const;

  const cluster::DestinationIndex& index_;
  const std::string domain_;
  const std::string suffix_;  // ".svc.<domain>"
  const std::string name_space_;
};

}  // namespace plait::proxy::dns
