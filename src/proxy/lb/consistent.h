#pragma once
// Consistent hashing: ring hash (ketama) and Maglev. Mirrors Envoy's RingHashLoadBalancer and MaglevTable. A request
// without a hash goes to a random place.
#include <memory>
#include <span>

#include "proxy/lb/lb_policy.h"

namespace plait::proxy::lb {
std::unique_ptr<LbPolicy> NewRingHash(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights,
                                      std::uint64_t seed);
std::unique_ptr<LbPolicy> NewMaglev(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights,
                                    std::uint64_t seed);
}  // namespace plait::proxy::lb
