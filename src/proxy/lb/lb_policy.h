#pragma once
// Load balancing inside one priority of one cluster. A policy object belongs to one worker (its position and random
// state are not shared); hosts and their active counts are the process's.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/random.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"

namespace plait::proxy::lb {

using Hosts = std::vector<cluster::HostPtr>;

// What one choice depends on.
struct PickContext {
  std::optional<std::uint64_t> hash;              // of the route's hash policies
  std::optional<io::SocketAddress> original_dst;  // for ORIGINAL_DST and pin_original_dst
  std::string_view original_dst_identity = {};    // ORIGINAL_DST: identity by the index; empty: unknown
  bool original_dst_plaintext = false;            // ORIGINAL_DST: the index says that it has no mutual TLS
  std::span<const cluster::HostPtr> tried = {};   // previous_hosts predicate; empty: none to avoid
  std::uint32_t attempts = 1;                     // host_selection_max_attempts
  // ORIGINAL_DST: where the workload of that destination is in the other family, by the index.
  std::optional<io::IpAddress> original_dst_other = {};
};

class LbPolicy {
 public:
  virtual ~LbPolicy() = default;
  // Null only when the set it was made of is empty. Hosts have been filtered by health already. No allocation.
  virtual const cluster::HostPtr* Pick(std::optional<std::uint64_t> hash) noexcept = 0;
};

// `hosts` and `weights` outlive the policy. `weights`: instead of the hosts' own (locality weights); empty: the hosts'
// own. O(n) to make for round robin and least request, O(ring) for ring hash and Maglev.
std::unique_ptr<LbPolicy> NewPolicy(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights,
                                    std::uint64_t seed);

}  // namespace plait::proxy::lb
