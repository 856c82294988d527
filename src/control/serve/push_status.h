#pragma once
// Conflicts and gaps of a configuration (a host, port or subset that stands twice, a cluster without an endpoint) under
// the names of Istio's metrics: what /debug/push_status, the pilot_* gauges and the log tell (semantics.md 7). Pure.
#include <array>
#include <map>
#include <string>
#include <string_view>

#include "control/model/snapshot.h"

namespace plait::control::serve {

inline constexpr std::array<std::string_view, 7> kPushStatusMetrics = {
    "pilot_conflict_inbound_listener", "pilot_conflict_outbound_listener_tcp_over_current_tcp",
    "pilot_destrule_subsets",          "pilot_duplicate_envoy_clusters",
    "pilot_eds_no_instances",          "pilot_endpoint_not_ready",
    "pilot_vservice_dup_domain",
};

struct PushEvent {
  std::string proxy = {};    // whom it is about, when it is about one
  std::string message = {};  // what, which objects, what is in force
};
// By metric, then by what it is about: a cluster, a host, an address with port.
using PushStatus = std::map<std::string_view, std::map<std::string, PushEvent>>;

// The cost is that of a walk over services, endpoints and rules.
PushStatus PushStatusOf(const model::Snapshot& mesh);

}  // namespace plait::control::serve
