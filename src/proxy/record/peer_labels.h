#pragma once
// What Istio's labels say of one side of a request or connection: by the destination index, by the metadata of an
// endpoint, and, where no endpoint was chosen, what all of those have in common that it could have gone to.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/strings.h"
#include "core/xds/address_index.h"
#include "proxy/cluster/cluster.h"
#include "proxy/cluster/destination_index.h"

namespace plait::proxy::record {

inline constexpr std::string_view kUnknown = "unknown";
inline std::string Known(std::string_view text) { return std::string(text.empty() ? kUnknown : text); }

// Labels of one side. The defaults are what Istio writes when nothing is known.
struct WorkloadLabels {
  std::string workload = "unknown";
  std::string name_space = "unknown";
  std::string app = "unknown";
  std::string version = "unknown";
  std::string cluster = "unknown";
  std::string canonical_service = "unknown";
  std::string canonical_revision = "latest";
  friend bool operator==(const WorkloadLabels&, const WorkloadLabels&) = default;
};
WorkloadLabels LabelsOf(const xds::Workload& workload);
// workload.Identity() == identity, without making it: asked for each request of a known caller.
bool HasIdentity(const xds::Workload& workload, std::string_view identity) noexcept;
// From the node's metadata and labels: WORKLOAD_NAME, NAMESPACE, CLUSTER_ID, LABELS.
WorkloadLabels LabelsOfNode(const std::map<std::string, std::string>& metadata,
                            const std::map<std::string, std::string>& labels);

struct Peer {
  WorkloadLabels labels;
  std::string principal;  // that it has to prove; empty: none; kUnknown: one, and which cannot be told
};

// The workload that `principal` (empty: not said) at this address is. The certificate wins: an address that carries
// another identity is a gateway or translated, and its labels are not the peer's.
WorkloadLabels LabelsOfPeer(std::string_view principal, const xds::Workload* at_address);
// The same of an endpoint, whose own metadata tell as much of it where the index does not.
WorkloadLabels LabelsOfEndpoint(std::string_view principal, const xds::Workload* at_address,
                                const cluster::Host& endpoint);
// Who the endpoint must prove to be; empty: the cluster does not ask it to, or only by names.
std::string_view ExpectedPrincipal(const cluster::Cluster* cluster, const cluster::Host& endpoint);

// Whom a request was meant for that ended before an endpoint was chosen: the labels on which all endpoints of the
// cluster agree, else (it has none, or nobody has subscribed to it) all pods of the service; the others are unknown.
// One worker's; remembers the last answer for each cluster.
class CommonPeers {
 public:
  explicit CommonPeers(const cluster::DestinationIndex& index) : index_(index) {}
  // `cluster` may be null; `name` as the route has it; empty: none.
  struct Question {
    const std::shared_ptr<const cluster::Cluster>& cluster;
    std::string_view name;
    std::string_view service_host;
    std::string_view service_namespace;
  };
  // Valid until the next call. O(endpoints) when endpoints or index have changed since the last one.
  const Peer& Find(const Question& question);

 private:
  struct Answer {
    std::weak_ptr<const cluster::Cluster> cluster;
    std::uint64_t index_revision = 0;
    Peer peer;
  };
  Peer Make(const Question& question, const std::string& service_key) const;

  static constexpr std::size_t kMost = 1024;
  const cluster::DestinationIndex& index_;
  std::unordered_map<std::string, Answer, StringHash, std::equal_to<>> answers_;
};

}  // namespace plait::proxy::record
