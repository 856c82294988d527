#pragma once
// What a proxy starts with. Mirrors envoy.config.bootstrap.v3.Bootstrap; a file that holds only fields listed here runs
// in Envoy, too (but for the extension plait.identity).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/xds/cluster.h"
#include "core/xds/listener.h"
#include "core/xds/resource.h"
#include "core/xds/secret.h"

namespace plait::xds {

struct Node {
  std::string id;       // "sidecar~<ip>~<pod>.<ns>~<ns>.svc.cluster.local"
  std::string cluster;  // "<app>.<ns>"
  Locality locality;
  std::string metadata_json;                    // the whole metadata as JSON, sent on each stream
  std::map<std::string, std::string> metadata;  // its strings: NAMESPACE, SERVICE_ACCOUNT, CLUSTER_ID ...
  std::map<std::string, std::string> labels;    // metadata LABELS
  std::string user_agent_name;
  std::string user_agent_version;
  std::vector<std::string> extension_types;  // type URLs of all extensions, as an Envoy lists them to a control plane
  friend bool operator==(const Node&, const Node&) = default;
};

struct Admin {
  std::optional<io::SocketAddress> address;
  std::vector<AccessLog> access_logs;
  friend bool operator==(const Admin&, const Admin&) = default;
};

struct GrpcTarget {
  std::string cluster;  // envoy_grpc.cluster_name
  std::string authority;
  std::vector<std::pair<std::string, std::string>> initial_metadata;  // sent with the stream; names in lower case
  // retry_policy.retry_back_off of envoy_grpc: between attempts to open the stream.
  Duration first_back_off = std::chrono::milliseconds(500);
  Duration longest_back_off = std::chrono::seconds(30);
  friend bool operator==(const GrpcTarget&, const GrpcTarget&) = default;
};

struct DynamicResources {
  std::optional<GrpcTarget> ads;  // api_type DELTA_GRPC (GRPC is refused: Plait's client speaks delta only)
  bool lds = false;               // lds_config: ads
  bool cds = false;
  Duration initial_fetch_timeout = std::chrono::seconds(15);  // of lds_config and cds_config; 0 = none
  friend bool operator==(const DynamicResources&, const DynamicResources&) = default;
};

// Bootstrap extension plait.proxy.v1.Identity: how the proxy gets its certificate.
struct IdentityConfig {
  enum class KeyType : std::uint8_t { kP256, kRsa2048 };
  std::string ca_cluster;  // speaks IstioCertificateService
  std::string token_path;
  std::string root_path;  // PEM; roots for ca_cluster before ROOTCA arrives
  std::string spiffe_id;  // empty: from NAMESPACE and SERVICE_ACCOUNT
  Duration ttl = std::chrono::hours(24);
  KeyType key_type = KeyType::kP256;
  friend bool operator==(const IdentityConfig&, const IdentityConfig&) = default;
};

struct Bootstrap {
  Node node;
  Admin admin;
  std::vector<Resource<Listener>> listeners;  // static_resources
  std::vector<Resource<Cluster>> clusters;
  std::vector<Resource<Secret>> secrets;
  DynamicResources dynamic;
  std::optional<IdentityConfig> identity;
  std::string bytes;  // as accepted, for config_dump (serialized Bootstrap)
};

}  // namespace plait::xds
