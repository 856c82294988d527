#pragma once
// What plaitd wants to run: the messages of its supervisor channel as structs. plaitd is the API server and its
// controllers, the supervisor is the kubelet. The channel is JSON, one object a line.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/port.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "node/service_rules.h"

namespace plait::local {

struct ProbeSpec {
  enum class Kind : std::uint8_t { kHttp, kTcp, kGrpc, kExec };
  Kind kind = Kind::kTcp;
  Port port;
  std::string path = "/";
  bool https = false;                                        // HTTP
  std::string service;                                       // gRPC
  std::vector<std::pair<std::string, std::string>> headers;  // HTTP
  std::vector<std::string> argv;                             // exec
  std::string container;                                     // whose probe it is; set by its owner
  Duration initial_delay{};
  Duration period = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(1);
  int success_threshold = 1;
  int failure_threshold = 3;
  friend bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};

// What runs in a container after its start or before its end.
struct HookSpec {
  enum class Kind : std::uint8_t { kExec, kHttp, kSleep, kTcp };  // kTcp: always fails, as on Kubernetes
  Kind kind = Kind::kExec;
  std::vector<std::string> argv = {};  // exec
  Port port = {};                      // HTTP, as the rest
  std::string path = "/";
  bool https = false;
  std::vector<std::pair<std::string, std::string>> headers = {};
  Duration sleep{};
};

struct EnvVar {
  std::string name;
  std::string value;
  std::string field;  // "status.podIP" ...; empty: `value` holds
  friend bool operator==(const EnvVar&, const EnvVar&) = default;
};

// A file of a volume. `field`: instead of the text, what FieldOf says.
struct VolumeFile {
  std::string path;
  std::string text;
  std::string field;
  unsigned mode = 0644;
};
struct VolumeSpec {
  std::string name;
  bool empty_dir = false;  // a folder to write to; else `files`, which nobody may change
  std::vector<VolumeFile> files;
};
struct MountSpec {
  std::string volume;
  std::string path;
  std::string sub_path;  // the file or folder of the volume that is mounted; empty: all of it
  bool read_only = false;
};

struct ContainerSpec {
  enum class Kind : std::uint8_t {
    kApplication,
    kInit,     // of initContainers: ends before the next one begins
    kSidecar,  // of initContainers, with restartPolicy Always: has started before the next one begins, ends last
  };
  std::string name;
  Kind kind = Kind::kApplication;
  std::vector<std::string> argv;
  std::vector<EnvVar> env;
  std::vector<std::pair<std::string, Port>> ports;  // name, port; TCP
  std::vector<MountSpec> mounts = {};
  std::string working_dir;
  std::optional<ProbeSpec> readiness;
  std::optional<ProbeSpec> liveness;
  std::optional<ProbeSpec> startup;
  std::optional<HookSpec> post_start = {};
  std::optional<HookSpec> pre_stop = {};
};

// A line of /etc/hosts.
struct HostAlias {
  std::string ip;
  std::vector<std::string> names;
};

// Beside the nameserver, which is the mesh's DNS whatever the pod says.
struct DnsSpec {
  enum class Policy : std::uint8_t { kClusterFirst, kDefault, kNone };
  Policy policy = Policy::kClusterFirst;
  std::vector<std::string> searches;
  std::vector<std::pair<std::string, std::string>> options;  // name, value; no value: ""
};

// kDns: a proxy alone, which serves the names of the mesh to workloads without one.
enum class ProxyKind : std::uint8_t { kNone, kSidecar, kGateway, kDns };
enum class RestartPolicy : std::uint8_t { kAlways, kOnFailure, kNever };

struct PodSpec {
  std::string uid;
  std::string name;
  std::string ns;
  std::string service_account;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::pair<std::string, std::string>> annotations;
  std::string owner;       // of the Deployment, StatefulSet or Job; empty: none
  std::string owner_kind;  // "Deployment" ...; empty: none
  int completions = 1;     // of a Job: how many of its pods must succeed
  std::string hostname;
  std::string subdomain;
  RestartPolicy restart_policy = RestartPolicy::kAlways;
  std::optional<int> max_restarts;  // of one container; none: no limit
  Duration grace = std::chrono::seconds(30);
  bool service_links = true;  // its containers have the variables of services
  ProxyKind proxy = ProxyKind::kNone;
  int concurrency = 0;  // of its proxy; 0: the mesh's
  std::vector<HostAlias> host_aliases = {};
  DnsSpec dns = {};
  std::vector<VolumeSpec> volumes = {};
  std::vector<ContainerSpec> init_containers;  // in their order
  std::vector<ContainerSpec> containers;
  std::string told;  // all of it, as plaitd said it

  // "default/web"; of a pod without an owner "default/Pod/web".
  std::string OwnerKey() const;
  const std::string* Label(std::string_view key) const;       // null: none
  const std::string* Annotation(std::string_view key) const;  // null: none
};

struct DesiredPods {
  std::vector<PodSpec> pods;
};
struct Hello {
  std::string root_pem;
  Port xds_port;
  std::string trust_domain;
  std::string error;
};
struct Notice {
  std::string severity;  // "warning", "error", "info"; "mended": what was told with this text is no more; "retold": it
                         // is told in other words now
  std::string text;
};
// What is in force because nobody says otherwise and differs from Istio's default: a sentence each, all that there are.
struct Defaults {
  std::vector<std::string> texts;
};
// A port of servers of Gateways.
struct ServerPort {
  Port port;
  std::vector<std::string> gateways;  // PodSpec::OwnerKey of those that serve it; the first has the host's port
  bool on_host = true;                // else no port of the host leads there
  std::string scheme;                 // "http" or "https"; empty: neither
  std::string name() const { return std::to_string(port.value); }  // of its sockets
  bool IsServedBy(const PodSpec& pod) const;
  bool IsOnHostFor(const PodSpec& pod) const;
};
struct GatewayPorts {
  std::vector<ServerPort> ports;
};
struct Services {
  std::vector<node::ServicePort> ports;  // of services with an address, for workloads without a proxy
};
// A service of the mesh, for workloads that must be told where they reach it (loopback_network.h).
struct MeshHost {
  std::string name;  // of a Service, or the host of a ServiceEntry
  std::string ns;
  bool kubernetes = false;                          // a Service
  io::IpAddress vip;                                // names it to the proxy
  std::vector<std::pair<std::string, Port>> ports;  // name, port; TCP
  friend bool operator==(const MeshHost&, const MeshHost&) = default;
};
struct MeshHosts {
  std::vector<MeshHost> hosts;
};
// Every proxy runs what follows from so many status tables, counted since the channel began.
struct CaughtUp {
  std::uint64_t statuses = 0;
};
using PlaitdMessage = std::variant<DesiredPods, Hello, Notice, Defaults, GatewayPorts, Services, MeshHosts, CaughtUp>;

// One line. Errors name what plaitd said wrongly; an unknown type is an error (the two are always of one version).
Outcome<PlaitdMessage> DecodePlaitdMessage(std::string_view line);

// What the supervisor says first to a plaitd that has started: what it was told by the one before and still runs.
struct RunningPod {
  const PodSpec& spec;
  bool leaving = false;  // it is being stopped
};
std::string EncodeRunning(const std::vector<RunningPod>& pods);  // one line with its end

// What it says of each pod then, at each change.
struct PodStatus {
  std::string uid;
  std::vector<std::string> ips;
  bool ready = false;
  std::string phase = "Pending";
  std::string token_sha256;
  int restarts = 0;
  std::string reason;
  friend bool operator==(const PodStatus&, const PodStatus&) = default;
};
std::string EncodeStatus(const std::vector<PodStatus>& pods);  // one line with its end

}  // namespace plait::local
