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

struct NodeInfo {
  std::string id;
  std::string cluster;
  std::string metadata_json;  // an object; empty: none
  std::string user_agent_name;
  std::string user_agent_version;
};
struct ServerInfo {
  std::string version;  // "0.1.0"
  ServerState state = ServerState::kInitializing;
  Duration uptime{};
  std::string hot_restart_version = "disabled";
  std::uint32_t concurrency = 1;
  std::string service_cluster;
  std::string service_node;
  std::string log_level;
  std::string config_path;
  std::string mode = "Serve";
  Duration drain_time{};
  NodeInfo node;
};
struct ClusterInfo {
  cluster::ClusterPtr cluster;
  bool added_via_api = false;  // by CDS
};
struct ListenerInfo {
  std::string name;
  std::vector<io::SocketAddress> addresses;
};
struct CertificateInfo {
  std::string path;           // of the file; else the secret's name, or "<inline>"
  std::string serial_number;  // hex
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  WallTime valid_from{};
  WallTime expires{};
  friend bool operator==(const CertificateInfo&, const CertificateInfo&) = default;
};
struct CertificateEntry {
  std::vector<CertificateInfo> chain;
  std::vector<CertificateInfo> ca;
  friend bool operator==(const CertificateEntry&, const CertificateEntry&) = default;
};
struct ConfigDumpQuery {
  std::string resource;  // ?resource=dynamic_active_clusters
  std::string mask;
  std::string name_regex;
  bool include_eds = false;
};
struct DrainQuery {
  bool graceful = false;      // listeners accept until the drain time is over
  bool inbound_only = false;  // of listeners with traffic_direction INBOUND
  bool skip_exit = false;     // listeners accept for ever; only connections are asked to end
};

class AdminState {
 public:
  virtual ~AdminState() = default;
  virtual ServerInfo Info() const = 0;
  virtual std::vector<ClusterInfo> Clusters() const = 0;
  virtual std::vector<ListenerInfo> Listeners() const = 0;
  virtual std::vector<CertificateEntry> Certificates() const = 0;
  // JSON. Errors: kNotFound (no such resource), others say what is wrong with the query.
  virtual Outcome<std::string> ConfigDump(const ConfigDumpQuery& query) const = 0;
  virtual telemetry::Registry& Stats() = 0;

  virtual void Quit() = 0;                        // /quitquitquit
  virtual void SetHealthFailed(bool failed) = 0;  // /healthcheck/fail, /healthcheck/ok
  virtual void DrainListeners(const DrainQuery& query) = 0;
  // The access log files are opened anew (/reopen_logs, after a rotation). Errors name the files that could not be;
  // they go on with what was open.
  virtual Outcome<> ReopenLogs() = 0;
  // Renews the workload certificate now; `done` with an error text or "" in a later round (POST /plait/renew).
  virtual void RenewCertificate(std::move_only_function<void(Outcome<>)> done) = 0;
};

}  // namespace plait::proxy::admin
