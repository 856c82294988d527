#pragma once
// Which localities of a cluster's endpoints a proxy sends to, seen from where it stands: Istio's locality load
// balancing. By shares (distribute); or, where outlier detection can find that a locality fails, by priorities: the
// same subzone, zone and region first, or the labels of failoverPriority. Pure.
#include <cstdint>
#include <string>
#include <string_view>

#include "control/model/snapshot.h"
#include "control/translate/destinations.h"
#include "core/xds/endpoint.h"

namespace plait::control::translate {

// Whether a rule may make it matter where clients of its host stand.
bool AsksForPlaces(const model::DestinationRule& rule);

class Localities {
 public:
  // All three outlive it.
  Localities(const model::Proxy& proxy, const model::Snapshot& snapshot, const OutboundTarget& target);

  // Whether it matters where the proxy stands.
  bool matter() const noexcept { return distribute_ || fail_over_; }
  // What of the proxy decides: where this is the same, so are the endpoints.
  std::string Key() const;
  // Whether weights of localities count (locality_weighted_lb_config).
  bool weighted() const noexcept;
  // 0: the first choice. Ranks may leave numbers out.
  std::uint32_t RankOf(const xds::Locality& locality, const model::EndpointView& endpoint) const;
  // Makes priorities of ranks, without gaps, and of distribute weights; what gets no share is left out.
  void Arrange(xds::ClusterLoadAssignment& assignment) const;

 private:
  const model::LocalityBalancing::Distribution* Distribution() const;
  std::uint32_t RankByLocality(const xds::Locality& locality) const;
  std::uint32_t RankByLabels(const model::EndpointView& endpoint) const;
  void Distribute(xds::ClusterLoadAssignment& assignment) const;

  const model::Proxy& proxy_;
  const model::Snapshot& snapshot_;
  const model::LocalityBalancing* setting_ = nullptr;  // null: turned off
  bool distribute_ = false;
  bool fail_over_ = false;
  xds::Locality own_;
};

}  // namespace plait::control::translate
