#pragma once
// Endpoints of a cluster: what EDS carries, or what stands in a STATIC or STRICT_DNS cluster.
// Mirrors envoy.config.endpoint.v3.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/io/address.h"

namespace plait::xds {

struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;
  friend auto operator<=>(const Locality&, const Locality&) = default;
};

enum class HealthStatus : std::uint8_t { kUnknown, kHealthy, kUnhealthy, kDraining, kTimeout, kDegraded };

struct Endpoint {
  io::SocketAddress address;  // unset when `dns_name` is set
  std::string dns_name;       // STRICT_DNS and LOGICAL_DNS only; resolved by the proxy
  std::uint16_t dns_port = 0;
  std::vector<io::SocketAddress> additional_addresses;  // the other family of the same host
  std::string hostname;                                 // Endpoint.hostname
  HealthStatus health = HealthStatus::kUnknown;
  std::uint32_t weight = 1;
  // Metadata.
  std::string identity;  // plait.dev: identity - the SPIFFE URI that its certificate must carry
  std::map<std::string, std::string> transport_socket_match;  // envoy.transport_socket_match, e.g. tlsMode: istio
  std::string istio_workload;  // istio: workload - "name;namespace;canonical;revision;cluster"
  bool canary = false;         // envoy.lb: canary
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct LocalityEndpoints {
  Locality locality;
  std::uint32_t priority = 0;           // no gaps over a whole assignment
  std::optional<std::uint32_t> weight;  // for locality-weighted balancing
  std::vector<Endpoint> endpoints;
  friend bool operator==(const LocalityEndpoints&, const LocalityEndpoints&) = default;
};

struct ClusterLoadAssignment {
  std::string cluster_name;
  std::vector<LocalityEndpoints> localities;
  std::uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_priority_health = false;
  friend bool operator==(const ClusterLoadAssignment&, const ClusterLoadAssignment&) = default;
};

}  // namespace plait::xds
