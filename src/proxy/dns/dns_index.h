#pragma once
// The names of the mesh as DNS knows them. The real one reads the destination index.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/address.h"

namespace plait::proxy::cluster {
class DestinationIndex;
}

namespace plait::proxy::dns {

struct ServiceTarget {  // for SRV
  std::uint16_t port = 0;
  std::string host;     // fully qualified, without the last dot
};

struct NameAnswer {
  bool ours = false;    // the name lies in the mesh's space: never forwarded
  bool exists = false;  // false with `ours`: NXDOMAIN; true with no address of the asked family: NODATA
  std::vector<io::IpAddress> addresses;
  std::string alias;    // CNAME target (ExternalName); empty: none
  std::vector<ServiceTarget> targets;
};

class DnsIndex {
 public:
  virtual ~DnsIndex() = default;
  // `name`: lower case, without the last dot, at most 253 characters.
  virtual NameAnswer Find(std::string_view name) const = 0;
};

// Services, pods of headless services ("web-1.web.ns.svc.cluster.local"), and hosts of ServiceEntries.
class MeshDnsIndex final : public DnsIndex {
 public:
  MeshDnsIndex(const cluster::DestinationIndex& index, std::string domain) : index_(index), domain_(std::move(domain)) {}
  NameAnswer Find(std::string_view name) const override;

 private:
  const cluster::DestinationIndex& index_;
  const std::string domain_;
};

}  // namespace plait::proxy::dns
