#pragma once
// What the admin endpoints read and do; the worker room implements it on the main thread. Endpoints: admin.h.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/io/address.h"
#include "proxy/cluster/cluster.h"

namespace plait::telemetry {
class Registry;
}

namespace plait::proxy::admin {

enum class ServerState : std::uint8_t { kLive, kDraining, kPreInitializing, kInitializing };

struct ServerInfo {
  std::string version;  // "plait/0.1.0/..."
  ServerState state = ServerState::kInitializing;
  Duration uptime{};
  std::string hot_restart_version = "disabled";
  std::uint32_t concurrency = 1;
  std::string service_cluster;
  std::string service_node;
  std::string log_level;
  std::string config_path;
  std::string mode = "Serve";
  std::string node_json;  // the node as JSON object
};
struct ListenerInfo {
  std::string name;
  std::vector<io::SocketAddress> addresses;
};
struct CertificateInfo {
  std::string path;           // "<inline>", or the secret's name
  std::string serial_number;  // hex
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  WallTime valid_from{};
  WallTime expires{};
};
struct CertificateEntry {
  std::vector<CertificateInfo> chain;
  std::vector<CertificateInfo> ca;
};
struct ConfigDumpQuery {
  std::string resource;  // ?resource=dynamic_active_clusters
  std::string mask;
  std::string name_regex;
  bool include_eds = false;
};

class AdminState {
 public:
  virtual ~AdminState() = default;
  virtual ServerInfo Info() const = 0;
  virtual std::vector<cluster::ClusterPtr> Clusters() const = 0;
  virtual std::vector<ListenerInfo> Listeners() const = 0;
  virtual std::vector<CertificateEntry> Certificates() const = 0;
  virtual Outcome<std::string> ConfigDump(const ConfigDumpQuery& query) const = 0;  // JSON
  virtual telemetry::Registry& Stats() = 0;

  virtual void Quit() = 0;                        // /quitquitquit
  virtual void SetHealthFailed(bool failed) = 0;  // /healthcheck/fail, /healthcheck/ok
  virtual void DrainListeners(bool graceful, bool inbound_only) = 0;
  // Renews the workload certificate now; `done` with an error text or "" in a later round (POST /plait/renew).
  virtual void RenewCertificate(std::move_only_function<void(Outcome<>)> done) = 0;
};

}  // namespace plait::proxy::admin
