#pragma once
// MeshConfig and MeshNetworks, keys `mesh` and `meshNetworks` of ConfigMap `istio` in the root namespace; defaults are
// Istio's (istio-interfaces.md 1.3).
#include <optional>
#include <string>
#include <vector>

#include "control/model/locality.h"
#include "control/model/virtual_service.h"
#include "core/xds/json_format.h"

namespace plait::control::model {

// One network: who is in it, and the gateways through which others reach its endpoints.
struct MeshNetwork {
  struct Gateway {
    io::IpAddress address = {};  // unused when `service` is set
    std::string service = {};    // a host whose endpoints are the gateways
    std::uint16_t port = 15443;
    friend bool operator==(const Gateway&, const Gateway&) = default;
  };
  std::string name = {};
  std::vector<io::Cidr> ranges = {};
  std::vector<std::string> registries = {};  // cluster ids
  std::vector<Gateway> gateways = {};
  friend bool operator==(const MeshNetwork&, const MeshNetwork&) = default;
};

struct MeshConfig {
  std::string trust_domain = "cluster.local";
  std::vector<std::string> trust_domain_aliases = {};
  std::string root_namespace = "istio-system";
  std::string cluster_domain = "cluster.local";
  bool registry_only = false;  // outboundTrafficPolicy
  bool auto_mtls = true;
  Duration connect_timeout = std::chrono::seconds(10);
  Duration dns_refresh_rate = std::chrono::seconds(60);  // above 1 ms
  std::optional<Duration> detection_timeout = {};  // protocolDetectionTimeout; none: Plait's rules (semantics.md 1)
  std::string access_log_file = {};
  std::string access_log_format = {};  // of texts; empty: Istio's
  bool access_log_json = false;
  std::optional<xds::JsonFormat> access_log_json_format = {};  // none: Istio's
  std::vector<std::string> default_service_export_to = {"*"};
  std::vector<std::string> default_virtual_service_export_to = {"*"};
  std::vector<std::string> default_destination_rule_export_to = {"*"};
  std::optional<HttpRetry> default_retry = {};  // defaultHttpRetryPolicy
  std::optional<std::uint32_t> tracing_sampling_per_million = {};
  std::vector<std::string> ecdh_curves = {};  // meshMTLS
  bool minimum_tls13 = false;
  std::uint32_t trusted_proxies = 0;  // defaultConfig.gatewayTopology.numTrustedProxies
  enum class PathNormalization : std::uint8_t { kNone, kBase, kMergeSlashes, kDecodeAndMerge };
  PathNormalization path_normalization = PathNormalization::kBase;
  std::optional<std::uint32_t> concurrency = {};  // defaultConfig.concurrency
  LocalityBalancing locality = {};                // localityLbSetting
  friend bool operator==(const MeshConfig&, const MeshConfig&) = default;
};

}  // namespace plait::control::model
