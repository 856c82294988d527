#pragma once
// Network filters but the HTTP connection manager. Mirrors envoy.extensions.filters.network.{tcp_proxy,rbac,...}.v3.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/xds/access_log.h"
#include "core/xds/rbac.h"

namespace plait::xds {

struct L4WeightedCluster {
  std::string name;
  std::uint32_t weight = 1;
  friend bool operator==(const L4WeightedCluster&, const L4WeightedCluster&) = default;
};

struct TcpProxy {
  std::string stat_prefix;
  std::vector<L4WeightedCluster> clusters;  // one entry for a single cluster; empty only in Plait's templates
  std::optional<Duration> idle_timeout;     // default 1 h; 0 = none
  std::optional<Duration> max_downstream_connection_duration;
  std::optional<std::uint32_t> max_connect_attempts;  // default 1
  bool hash_source_ip = false;                        // hash_policy: source_ip
  std::vector<AccessLog> access_logs;
  friend bool operator==(const TcpProxy&, const TcpProxy&) = default;
};

struct NetworkRbac {
  std::optional<RbacRules> rules;
  std::optional<RbacRules> shadow_rules;
  std::string stat_prefix;
  std::string shadow_rules_stat_prefix;
  friend bool operator==(const NetworkRbac&, const NetworkRbac&) = default;
};

// envoy.filters.network.sni_cluster: the SNI names the cluster of the TCP proxy that follows.
struct SniCluster {
  friend bool operator==(const SniCluster&, const SniCluster&) = default;
};

// istio.stats as a network filter.
struct IstioTcpStats {
  friend bool operator==(const IstioTcpStats&, const IstioTcpStats&) = default;
};

// istio.metadata_exchange: accepted, does nothing; labels of a peer come from the index (semantics.md 3).
struct MetadataExchange {
  std::string protocol;
  friend bool operator==(const MetadataExchange&, const MetadataExchange&) = default;
};

struct EchoFilter {
  friend bool operator==(const EchoFilter&, const EchoFilter&) = default;
};

}  // namespace plait::xds
