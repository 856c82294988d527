#pragma once
// Encoders of a cluster's balancing and limits. Internal to core/xds/encode.
#include "core/xds/cluster.h"

namespace envoy::config::cluster::v3 {
class Cluster;
class OutlierDetection;
}  // namespace envoy::config::cluster::v3

namespace plait::xds::encode {

void Fill(const LbConfig& in, envoy::config::cluster::v3::Cluster& out);
// `priority`: envoy.config.core.v3.RoutingPriority. Adds thresholds.
void Fill(const CircuitBreakers& in, int priority, envoy::config::cluster::v3::Cluster& out);
void Fill(const OutlierDetection& in, envoy::config::cluster::v3::OutlierDetection& out);

}  // namespace plait::xds::encode
