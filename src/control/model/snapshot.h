#pragma once
// What a set of objects and running workloads means: services with endpoints, rules by host, policies by workload.
// Immutable and shared between threads; a function of its inputs alone, so that every replica has the same (design.md).
// Built anew for each change: 1,000 services take a few milliseconds; what is pushed is decided by comparing resources.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/model/delegates.h"
#include "control/model/finding.h"
#include "control/model/objects.h"
#include "control/model/service_view.h"

namespace plait::control::model {

struct SnapshotOptions {
  MeshConfig mesh;                     // where ConfigMap `istio` says nothing
  std::string trust_domain = {};       // of the authority that runs: no ConfigMap changes it; empty: none runs yet
  bool strict_by_default = false;      // `plait up`: STRICT when no mesh-wide PeerAuthentication is given
  bool access_log_by_default = false;  // `plait up`: to the proxy's log when the mesh configuration names no file
  std::string network = {};
  std::string cluster_id = "Kubernetes";
};

// A client of xDS: whom a configuration is made for.
struct Proxy {
  enum class Type : std::uint8_t { kSidecar, kRouter };
  // kPlait: a plait-proxy, which understands api/plait/proxy/v1. kEnvoy: a stock Envoy, which gets a listener a port.
  enum class Form : std::uint8_t { kPlait, kEnvoy };
  Type type = Type::kSidecar;
  Form form = Form::kPlait;
  std::string id = {};  // "productpage-v1-0.default"
  std::string name_space = {};
  std::string service_account = {};
  Labels labels = {};
  std::vector<io::IpAddress> ips = {};
  std::string network = {};   // empty: unknown, every endpoint is reached directly
  std::string locality = {};  // "region/zone/subzone"; empty: unknown
  std::string node = {};      // its Node; empty: none
  std::optional<std::uint32_t> concurrency = {};
  // kEnvoy: those extensions beyond stock Envoy's that it says to have, by the type URL of their configuration; sorted.
  std::vector<std::string> extensions = {};
  std::uint32_t application_mark = 0;  // kEnvoy: SO_MARK of its connections to its own application; 0: none is needed
};

// The effective server-side mode of a workload's ports.
struct ServerMtls {
  PeerAuthentication::Mode mode = PeerAuthentication::Mode::kPermissive;  // never kUnset
  std::map<std::uint16_t, PeerAuthentication::Mode> ports = {};
  const PeerAuthentication* invalid = nullptr;  // that made all of them kStrict; of the snapshot
  PeerAuthentication::Mode ModeOf(std::uint16_t port) const noexcept;
};

class Snapshot {
 public:
  using Workloads = std::shared_ptr<const std::vector<Workload>>;
  static std::shared_ptr<const Snapshot> Build(std::vector<ObjectRef> objects, Workloads workloads,
                                               const SnapshotOptions& options);
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const MeshConfig& mesh() const noexcept { return mesh_; }
  // What ConfigMap `istio` asks for; mesh().trust_domain is what is in force.
  const std::string& asked_trust_domain() const noexcept { return asked_trust_domain_; }
  const std::vector<MeshNetwork>& networks() const noexcept { return networks_; }  // of ConfigMap `istio`
  const SnapshotOptions& options() const noexcept { return options_; }
  // Whether these two of the options are in force: the objects do not say otherwise.
  bool strict_by_default() const noexcept { return strict_by_default_; }
  bool access_log_by_default() const noexcept { return access_log_by_default_; }
  const std::vector<ObjectRef>& objects() const noexcept { return objects_; }
  const std::vector<Workload>& workloads() const noexcept { return *workloads_; }
  // All services, sorted by hostname and namespace.
  const std::vector<std::unique_ptr<ServiceView>>& services() const noexcept { return services_; }
  // References to nothing, conflicts: warnings. Same order for the same objects.
  const Findings& findings() const noexcept { return findings_; }

  // The service that a proxy of `name_space` means by a full hostname; null when there is none or it may not see it.
  const ServiceView* FindService(std::string_view hostname, std::string_view name_space) const noexcept;
  std::vector<const ServiceView*> VisibleServices(std::string_view name_space) const;
  // The service that owns a VIP; the longest matching range.
  const ServiceView* FindByVip(const io::IpAddress& ip) const noexcept;
  const Workload* FindWorkload(const io::IpAddress& ip) const noexcept;  // never a host-network one
  const Workload* FindWorkload(std::string_view name_space, std::string_view name) const noexcept;
  // The services that select a workload of this snapshot, in the order of services().
  const std::vector<const ServiceView*>& ServicesOf(const Workload& workload) const noexcept;
  // "region/zone/subzone": of the label istio-locality, else of the workload's Node; empty when neither says it.
  std::string LocalityOf(const Workload& workload) const;
  // By the label topology.istio.io/network, else by meshNetworks, else the mesh's own.
  std::string NetworkOf(const Workload& workload) const;
  std::string NetworkOf(const io::IpAddress& ip) const;  // of an endpoint that says nothing
  const MeshNetwork* FindNetwork(std::string_view name) const noexcept;
  // "spiffe://<trust domain>/ns/<ns>/sa/<sa>".
  std::string IdentityOf(std::string_view name_space, std::string_view service_account) const;

  // VirtualServices that the proxy sees and that are bound to `gateway` ("mesh" or "namespace/name"), oldest first.
  std::vector<const VirtualService*> VirtualServices(std::string_view name_space, std::string_view gateway) const;
  // The rules for a host as this client sees it, merged; null when there are none.
  const DestinationRule* FindDestinationRule(const Proxy& proxy, std::string_view hostname,
                                             std::string_view owner) const noexcept;
  // Gateways whose selector matches the labels of a gateway's pod, oldest first.
  std::vector<const Gateway*> GatewaysOf(const Labels& labels) const;

  ServerMtls MtlsOf(std::string_view name_space, const Labels& labels) const;
  // Policies in scope of a workload, mesh-wide first, then by namespace and name.
  std::vector<const AuthorizationPolicy*> PoliciesOf(std::string_view name_space, const Labels& labels) const;
  const Secret* FindSecret(std::string_view name_space, std::string_view name) const noexcept;

 private:
  struct NamespaceRules {
    std::unordered_map<std::string_view, std::vector<const DestinationRule*>> by_host;  // patterns, too
    std::vector<const DestinationRule*> wildcards;
  };

  Snapshot(std::vector<ObjectRef> objects, Workloads workloads, const SnapshotOptions& options);
  void ReadMeshConfig();
  void IndexServices();
  void LinkAliases();
  std::vector<const EndpointSlice*> WrittenEndpointsOf(const ServiceView& view) const;
  void IndexRules();
  void IndexPolicies();
  const DestinationRule* RuleIn(std::string_view owner, std::string_view hostname, const Proxy& proxy) const noexcept;

  std::vector<ObjectRef> objects_;
  Workloads workloads_;
  SnapshotOptions options_;
  MeshConfig mesh_;
  bool strict_by_default_ = false;
  bool access_log_by_default_ = false;
  std::string asked_trust_domain_;
  std::vector<MeshNetwork> networks_;
  Findings findings_;
  std::unordered_map<std::string_view, const Node*> nodes_;                    // by name
  std::unordered_map<std::string, std::vector<const EndpointSlice*>> slices_;  // by namespace/service
  std::vector<std::unique_ptr<ServiceView>> services_;
  std::unordered_map<std::string_view, std::vector<const ServiceView*>> services_by_host_;
  std::unordered_map<io::IpAddress, const ServiceView*, io::IpHash> services_by_vip_;
  std::vector<std::pair<io::Cidr, const ServiceView*>> services_by_range_;  // longest prefix first
  std::unordered_map<io::IpAddress, const Workload*, io::IpHash> workloads_by_ip_;
  std::unordered_map<const Workload*, std::vector<const ServiceView*>> services_of_;
  Delegations delegations_;
  std::vector<const VirtualService*> virtual_services_;  // oldest first, with the rules that they delegate
  std::vector<std::unique_ptr<DestinationRule>> rules_;  // merged, hosts resolved
  std::unordered_map<std::string_view, NamespaceRules> rules_by_namespace_;
  std::vector<const Gateway*> gateways_;                         // oldest first
  std::vector<const PeerAuthentication*> peer_authentications_;  // oldest first
  std::vector<const AuthorizationPolicy*> policies_;
  std::vector<std::unique_ptr<AuthorizationPolicy>> denials_;  // in place of RequestAuthentications
};
using SnapshotRef = std::shared_ptr<const Snapshot>;

// What references nothing, and what contradicts something else (warnings with Istio's codes). Parts of
// Snapshot::findings.
Findings CheckReferences(const Snapshot& snapshot);
Findings CheckConflicts(const Snapshot& snapshot);

}  // namespace plait::control::model
