#pragma once
// Pods and what makes pods (Deployment, StatefulSet, Job) as they were written, and what is known of a pod that runs.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/model/meta.h"
#include "core/base/time.h"
#include "core/io/address.h"

namespace plait::control::model {

struct EnvVar {
  std::string name = {};        // of envFrom: what is put before each key
  std::string value = {};       // $(OTHER) is left as written: the supervisor expands it
  std::string field = {};       // fieldRef.fieldPath, e.g. "status.podIP"
  std::string config_map = {};  // configMapKeyRef or secretKeyRef: name and key; envFrom: name, and no key
  std::string secret = {};
  std::string key = {};
  bool optional = false;  // what it refers to may be missing
  friend bool operator==(const EnvVar&, const EnvVar&) = default;
};

struct ContainerPort {
  std::string name = {};
  std::uint16_t port = 0;
  std::string protocol = "TCP";
  friend bool operator==(const ContainerPort&, const ContainerPort&) = default;
};

struct Probe {
  enum class Kind : std::uint8_t { kHttp, kTcp, kGrpc, kExec };
  Kind kind = Kind::kHttp;
  std::uint16_t port = 0;
  std::string path = {};    // kGrpc: the service
  std::string scheme = {};  // kHttp: HTTP or HTTPS
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::vector<std::string> argv = {};
  Duration initial_delay{};
  Duration period = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(1);
  std::uint32_t success_threshold = 1;
  std::uint32_t failure_threshold = 3;
  friend bool operator==(const Probe&, const Probe&) = default;
};

// What runs in a container after its start or before its end: lifecycle.postStart, lifecycle.preStop.
struct Hook {
  enum class Kind : std::uint8_t { kExec, kHttp, kSleep, kTcp };  // kTcp: always fails, as on Kubernetes
  Kind kind = Kind::kExec;
  std::vector<std::string> argv = {};  // kExec
  std::uint16_t port = 0;              // kHttp, as the rest
  std::string path = {};
  std::string scheme = {};  // HTTP or HTTPS
  std::vector<std::pair<std::string, std::string>> headers = {};
  Duration sleep{};  // kSleep
  friend bool operator==(const Hook&, const Hook&) = default;
};

struct VolumeMount {
  std::string volume = {};
  std::string path = {};
  std::string sub_path = {};  // the file or folder of the volume that is mounted; empty: all of it
  bool read_only = false;
  friend bool operator==(const VolumeMount&, const VolumeMount&) = default;
};

struct Container {
  std::string name = {};
  std::string image = {};
  bool sidecar = false;  // of initContainers, with restartPolicy Always: it goes on beside the others
  std::vector<std::string> command = {};
  std::vector<std::string> args = {};
  std::vector<EnvVar> env = {};
  std::vector<ContainerPort> ports = {};
  std::vector<VolumeMount> mounts = {};
  std::string working_dir = {};
  std::optional<Probe> readiness = {};
  std::optional<Probe> liveness = {};
  std::optional<Probe> startup = {};
  std::optional<Hook> post_start = {};
  std::optional<Hook> pre_stop = {};
  friend bool operator==(const Container&, const Container&) = default;
};

// A key of a ConfigMap or Secret as a file of a volume; of a volume's fields: the field's path.
struct KeyToPath {
  std::string key = {};
  std::string path = {};
  std::optional<std::uint32_t> mode = {};  // none: the volume's
  friend bool operator==(const KeyToPath&, const KeyToPath&) = default;
};

// Where files of a volume come from: a ConfigMap, a Secret or, with neither, fields of the pod.
struct VolumeSource {
  std::string config_map = {};
  std::string secret = {};
  std::vector<KeyToPath> items = {};  // empty: every key, under its own name
  bool optional = false;              // what it refers to may be missing
  friend bool operator==(const VolumeSource&, const VolumeSource&) = default;
};

// What the containers of a pod share: an emptyDir, or files. Other kinds are left out, and told.
struct Volume {
  std::string name = {};
  bool empty_dir = false;
  std::uint32_t default_mode = 0644;
  std::vector<VolumeSource> sources = {};
  friend bool operator==(const Volume&, const Volume&) = default;
};

// A line of /etc/hosts.
struct HostAlias {
  std::string ip = {};
  std::vector<std::string> names = {};
  friend bool operator==(const HostAlias&, const HostAlias&) = default;
};

// dnsPolicy and dnsConfig, without nameservers: all questions are the mesh's DNS's.
struct PodDns {
  std::string policy = "ClusterFirst";
  std::vector<std::string> searches = {};
  std::vector<std::pair<std::string, std::string>> options = {};  // name, value; no value: ""
  friend bool operator==(const PodDns&, const PodDns&) = default;
};

struct PodSpec {
  std::vector<Container> init_containers = {};  // one after the other, before the others
  std::vector<Container> containers = {};
  std::vector<Volume> volumes = {};
  std::string service_account = "default";
  Place service_account_at = {};
  std::string hostname = {};
  std::string subdomain = {};
  std::string node_name = {};
  std::string restart_policy = "Always";
  std::uint32_t grace_seconds = 30;
  bool host_network = false;
  bool service_links = true;
  std::vector<HostAlias> host_aliases = {};
  PodDns dns = {};
  friend bool operator==(const PodSpec&, const PodSpec&) = default;
};

struct Pod {
  Meta meta = {};
  PodSpec spec = {};
  friend bool operator==(const Pod&, const Pod&) = default;
};

// What a controller makes its pods from.
struct PodTemplateSpec {
  Labels labels = {};
  Labels annotations = {};
  PodSpec spec = {};
  friend bool operator==(const PodTemplateSpec&, const PodTemplateSpec&) = default;
};

struct Deployment {
  Meta meta = {};
  std::uint32_t replicas = 1;
  PodTemplateSpec pod = {};
  friend bool operator==(const Deployment&, const Deployment&) = default;
};

// Pods that keep their name, from <name>-<first_ordinal> on, each with a DNS name in the headless Service
// `service_name`.
struct StatefulSet {
  Meta meta = {};
  std::uint32_t replicas = 1;
  std::uint32_t first_ordinal = 0;
  std::string service_name = {};  // empty: the pods have no names in DNS
  Place service_name_at = {};
  bool parallel = false;  // podManagementPolicy: Parallel, not one after the other
  PodTemplateSpec pod = {};
  friend bool operator==(const StatefulSet&, const StatefulSet&) = default;
};

// Runs until `completions` pods have succeeded, at most `parallelism` at once.
struct Job {
  Meta meta = {};
  std::uint32_t completions = 1;
  std::uint32_t parallelism = 1;
  std::uint32_t backoff_limit = 6;  // failures (of pods, or restarts of one pod's containers) that it survives
  bool suspended = false;
  PodTemplateSpec pod = {};
  friend bool operator==(const Job&, const Job&) = default;
};

// Who makes pods. kNone: a Pod that was written down.
enum class OwnerKind : std::uint8_t { kNone, kDeployment, kStatefulSet, kJob };
std::string_view OwnerKindName(OwnerKind kind) noexcept;  // "StatefulSet"; "Pod" for kNone

// A pod that runs: what the mesh routes to and whom it authorizes. Made by the pods controller (control/source/pods.h).
struct Workload {
  std::string uid = {};
  std::string name = {};
  std::string name_space = {};
  Labels labels = {};
  Labels annotations = {};
  std::string service_account = {};
  std::vector<io::IpAddress> ips = {};
  bool ready = false;
  bool meshed = false;   // has a proxy
  bool gateway = false;  // a proxy without an application
  bool ending = false;   // about to be stopped, or its containers have ended: no endpoint, still known by its address
  bool host_network = false;
  std::string owner = {};  // of the Deployment, StatefulSet or Job; empty for a bare pod
  OwnerKind owner_kind = OwnerKind::kNone;
  std::string node = {};  // the Node that it names; empty: none
  std::string hostname = {};
  std::string subdomain = {};
  std::vector<ContainerPort> ports = {};
  std::vector<Probe> probes = {};  // of its containers
  friend bool operator==(const Workload&, const Workload&) = default;

  // What telemetry calls it.
  const std::string& workload_name() const noexcept { return owner.empty() ? name : owner; }
  std::string CanonicalName() const;
  std::string CanonicalRevision() const;
  // Whether its proxy ends the mesh's mutual TLS in front of each port (auto mTLS). Not a gateway: its servers say what
  // they take. As in Istio the pod's label security.istio.io/tlsMode has the last word.
  bool TakesMeshTls() const;
};
std::string CanonicalNameOf(const Labels& labels, const std::string& fallback);

}  // namespace plait::control::model
