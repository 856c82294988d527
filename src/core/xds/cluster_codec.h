#pragma once
// Decoders of clusters and endpoints. Internal to core/xds.
#include "core/xds/cluster.h"
#include "core/xds/decode_context.h"

namespace envoy::config::cluster::v3 {
class Cluster;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}

namespace plait::xds {
Cluster DecodeClusterMessage(const envoy::config::cluster::v3::Cluster& in, DecodeContext& context);
// `dns_names`: host names are allowed as addresses (STRICT_DNS, LOGICAL_DNS).
ClusterLoadAssignment DecodeAssignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& in,
                                       DecodeContext& context, bool dns_names);
}  // namespace plait::xds
