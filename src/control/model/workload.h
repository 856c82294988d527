#pragma once
// Pods and Deployments as they were written, and what is known of a pod that runs.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/model/meta.h"
#include "core/base/time.h"
#include "core/io/address.h"

namespace plait::control::model {

struct EnvVar {
  std::string name = {};
  std::string value = {};       // $(OTHER) is left as written: the supervisor expands it
  std::string field = {};       // fieldRef.fieldPath, e.g. "status.podIP"
  std::string config_map = {};  // configMapKeyRef or secretKeyRef: name and key
  std::string secret = {};
  std::string key = {};
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

struct Container {
  std::string name = {};
  std::string image = {};
  std::vector<std::string> command = {};
  std::vector<std::string> args = {};
  std::vector<EnvVar> env = {};
  std::vector<ContainerPort> ports = {};
  std::string working_dir = {};
  std::optional<Probe> readiness = {};
  std::optional<Probe> liveness = {};
  std::optional<Probe> startup = {};
  friend bool operator==(const Container&, const Container&) = default;
};

struct PodSpec {
  std::vector<Container> containers = {};
  std::string service_account = "default";
  std::string hostname = {};
  std::string subdomain = {};
  std::string restart_policy = "Always";
  std::uint32_t grace_seconds = 30;
  bool host_network = false;
  friend bool operator==(const PodSpec&, const PodSpec&) = default;
};

struct Pod {
  Meta meta = {};
  PodSpec spec = {};
  friend bool operator==(const Pod&, const Pod&) = default;
};

struct Deployment {
  Meta meta = {};
  std::uint32_t replicas = 1;
  Labels selector = {};
  Labels template_labels = {};
  Labels template_annotations = {};
  PodSpec spec = {};
  friend bool operator==(const Deployment&, const Deployment&) = default;
};

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
  bool meshed = false;   // has a proxy: endpoints take mutual TLS
  bool gateway = false;  // a proxy without an application
  bool ending = false;   // about to be stopped: no endpoint any more, still known by its address
  bool host_network = false;
  std::string owner = {};  // Deployment; empty for a bare pod
  std::string hostname = {};
  std::string subdomain = {};
  std::vector<ContainerPort> ports = {};
  std::vector<Probe> probes = {};  // of its containers
  friend bool operator==(const Workload&, const Workload&) = default;

  // What telemetry calls it.
  const std::string& workload_name() const noexcept { return owner.empty() ? name : owner; }
  std::string CanonicalName() const;
  std::string CanonicalRevision() const;
};
std::string CanonicalNameOf(const Labels& labels, const std::string& fallback);

}  // namespace plait::control::model
