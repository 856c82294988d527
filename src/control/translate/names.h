#pragma once
// Istio's names of clusters, which users, logs and policies know.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plait::control::model {
struct Meta;
}

namespace plait::control::translate {

inline constexpr std::string_view kPassthroughCluster = "PassthroughCluster";
inline constexpr std::string_view kBlackHoleCluster = "BlackHoleCluster";
inline constexpr std::string_view kInboundPassthroughCluster = "InboundPassthroughCluster";
inline constexpr std::string_view kWorkloadCluster = "plait|workload";  // a workload by its own address
// For a stock Envoy: a workload of its own namespace with this account.
std::string WorkloadCluster(std::string_view service_account);
// The account of such a name; nullopt for anything else.
std::optional<std::string_view> ParseWorkloadCluster(std::string_view name);

std::string OutboundCluster(std::uint16_t port, std::string_view subset, std::string_view hostname);
std::string InboundCluster(std::uint16_t port);

struct OutboundName {
  std::uint16_t port = 0;
  std::string_view subset = {};
  std::string_view hostname = {};
  bool sni_dnat = false;  // of a gateway that passes TLS on by its server name: the cluster is called as that
};
// "outbound|9080|v2|reviews.default.svc.cluster.local", or what MeshSni makes of it; nullopt for anything else. Views
// into `name`.
std::optional<OutboundName> ParseOutboundCluster(std::string_view name);
// The port that a sidecar's routes are named by: "9080"; nullopt for anything else, such as "080", since what was built
// would have another name.
std::optional<std::uint16_t> PortOfRoutes(std::string_view name);
// SNI of mutual TLS in the mesh: "outbound_.9080_.v2_.reviews.default.svc.cluster.local".
std::string MeshSni(const OutboundName& name);
// What details call a policy that is not understood: "invalid_policy[default/viewer]" for an AuthorizationPolicy; of
// another kind, also that: "invalid_policy[default/strict]-kind[PeerAuthentication]".
std::string InvalidPolicyName(const model::Meta& policy);

}  // namespace plait::control::translate
