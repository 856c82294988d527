#pragma once
// A service as the mesh sees it, whether a Kubernetes Service or a host of a ServiceEntry, with its endpoints.
// Owned by the snapshot; pointers into it live as long.
#include <string>
#include <vector>

#include "control/model/objects.h"

namespace plait::control::model {

class Snapshot;

struct EndpointView {
  std::vector<io::IpAddress> ips = {};  // of one host, the preferred family first; empty: `dns_name`
  std::string dns_name = {};
  std::uint16_t port = 0;
  const Workload* workload = nullptr;  // null for endpoints that are written down
  Labels labels = {};
  std::string hostname = {};  // of a written endpoint: its name in a headless service; empty: none
  std::string identity = {};  // SPIFFE; empty when unknown
  bool ready = true;
  bool mtls = false;  // takes the mesh's mutual TLS
  std::uint32_t weight = 1;
  std::string locality = {};
  std::string network = {};  // empty: reachable directly
};

// The container port that a service port leads to; 0 when the workload has no port of that name.
std::uint16_t TargetPortOf(const ServicePort& port, const Workload& workload) noexcept;
// Where the workload takes connections for it: a gateway listens at the number of a server, whatever the target port of
// its Service is.
std::uint16_t EndpointPortOf(const Snapshot& snapshot, const ServicePort& port, const Workload& workload);

struct ServiceView {
  enum class Resolution : std::uint8_t { kEndpoints, kDns, kDnsRoundRobin, kPassthrough };
  std::string hostname = {};
  std::string name = {};
  std::string name_space = {};
  const Service* service = nullptr;  // exactly one of the two
  const ServiceEntry* entry = nullptr;
  // ExternalName: the service of the mesh that it is another name of. Null: a host outside, or no ExternalName.
  const ServiceView* alias_of = nullptr;
  std::vector<const ServiceView*> aliases = {};  // the reverse
  std::vector<io::Cidr> vips = {};
  bool headless = false;
  bool mesh_external = false;
  Resolution resolution = Resolution::kEndpoints;
  std::vector<ServicePort> ports = {};
  std::vector<std::vector<EndpointView>> endpoints = {};  // by index of the port
  std::vector<std::string> export_to = {};                // effective
  std::vector<std::string> subject_alt_names = {};

  const ServicePort* FindPort(std::uint16_t port) const noexcept;
  const std::vector<EndpointView>& EndpointsOf(const ServicePort& port) const noexcept;
  const Meta& meta() const noexcept { return service ? service->meta : entry->meta; }
  bool Selects(const Workload& workload) const noexcept;
};

}  // namespace plait::control::model
