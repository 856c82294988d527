#pragma once
// From Deployments, StatefulSets, Jobs, Pods and Gateways to what should run: commands and variables resolved, ready
// for the supervisor. Pure: the same objects give the same templates, and an equal template has an equal hash.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/model/finding.h"
#include "control/model/objects.h"
#include "control/source/local_images.h"

namespace plait::control::source {

// A file of a volume. `field`: instead of the text, what this field of the pod says.
struct VolumeFile {
  std::string path;
  std::string text;
  std::string field;
  std::uint32_t mode = 0644;
  friend bool operator==(const VolumeFile&, const VolumeFile&) = default;
};

struct ResolvedVolume {
  std::string name;
  bool empty_dir = false;  // else `files`, which nobody may change
  std::vector<VolumeFile> files;
  friend bool operator==(const ResolvedVolume&, const ResolvedVolume&) = default;
};

struct ResolvedContainer {
  std::string name;
  bool sidecar = false;  // of init_containers: it goes on beside the others
  std::vector<std::string> argv;
  std::vector<model::EnvVar> env;  // name with value or field; references are resolved
  std::vector<model::ContainerPort> ports;
  std::vector<model::VolumeMount> mounts;  // of volumes that the template has
  std::string working_dir;
  std::optional<model::Probe> readiness;
  std::optional<model::Probe> liveness;
  std::optional<model::Probe> startup;
  std::optional<model::Hook> post_start = {};
  std::optional<model::Hook> pre_stop = {};
  friend bool operator==(const ResolvedContainer&, const ResolvedContainer&) = default;
};

// kDns: a proxy alone, which serves the names of the mesh to pods without one.
enum class ProxyKind : std::uint8_t { kNone, kSidecar, kGateway, kDns };

struct PodTemplate {
  std::string name_space;
  std::string service_account;
  model::Labels labels;
  model::Labels annotations;
  std::string hostname;  // empty: the pod's name
  std::string subdomain;
  std::string node_name;
  std::string restart_policy = "Always";
  std::optional<std::uint32_t> max_restarts;  // of a container that failed (a Job's backoffLimit); none: no limit
  std::uint32_t grace_seconds = 30;
  bool host_network = false;
  bool service_links = true;  // containers have the variables of services
  ProxyKind proxy = ProxyKind::kSidecar;
  std::optional<std::uint32_t> concurrency;
  std::vector<model::HostAlias> host_aliases = {};
  model::PodDns dns = {};
  std::vector<ResolvedVolume> volumes;  // that some container mounts
  std::vector<ResolvedContainer> init_containers;
  std::vector<ResolvedContainer> containers;
  friend bool operator==(const PodTemplate&, const PodTemplate&) = default;
};

// The pods of one owner.
struct PodSet {
  std::string name;  // of the owner, or of the one Pod, whose name has no number
  model::OwnerKind kind = model::OwnerKind::kDeployment;
  std::uint32_t replicas = 1;       // kJob: how many run at once
  std::uint32_t first_ordinal = 0;  // kStatefulSet
  bool parallel = false;            // kStatefulSet: not one after the other
  std::uint32_t completions = 1;    // kJob: how many must succeed
  std::uint32_t backoff_limit = 6;  // kJob
  PodTemplate pod;
  std::string hash;  // of `pod`
  // A Pod may have the name of a Deployment.
  std::string Key() const { return pod.name_space + (kind == model::OwnerKind::kNone ? "/Pod/" : "/") + name; }
  friend bool operator==(const PodSet&, const PodSet&) = default;
};

// A port of servers of Gateways that gateway pods play.
struct GatewayPort {
  std::uint16_t port = 0;
  std::vector<std::string> gateways;  // PodSet::Key of those that serve it; the first has the host's port, if any has
  bool on_host = true;                // else all are behind Services that are for workloads alone
  std::string scheme;                 // of the first: "http" or "https"; empty: neither
  friend bool operator==(const GatewayPort&, const GatewayPort&) = default;
};

struct PodSets {
  std::vector<PodSet> sets;                // sorted by key
  std::vector<PodSet> unrendered;          // no program is known for some container: what runs of them goes on
  std::vector<GatewayPort> gateway_ports;  // sorted by port
  model::Findings findings;                // containers without a program; gateways whose ports the host does not have

  // Of all that may run.
  bool AnyOf(const std::function<bool(const PodSet&)>& is) const;
};

// Whether each container must have a program that plays its image. Where nothing is run it need not.
enum class Programs : std::uint8_t { kNeeded, kOptional };
PodSets RenderPodSets(const std::vector<model::ObjectRef>& objects, const LocalImages& images,
                      const model::MeshConfig& mesh, Programs programs = Programs::kNeeded);

}  // namespace plait::control::source
