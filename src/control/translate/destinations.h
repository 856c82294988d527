#pragma once
// What a cluster name stands for: the service port, the subset and the policy that applies to this client.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "control/translate/names.h"

namespace plait::control::translate {

struct OutboundTarget {
  const model::ServiceView* service = nullptr;
  const model::ServicePort* port = nullptr;
  const model::DestinationRule* rule = nullptr;  // null: none for this host
  const model::Subset* subset = nullptr;         // null: the whole service
  model::TrafficPolicy policy = {};              // what is in force at the port
  bool sni_dnat = false;                         // for TLS that a gateway passes on
};
// nullopt when there is no such service, port or subset that the proxy may see.
std::optional<OutboundTarget> FindOutboundTarget(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                 std::string_view cluster);
// The clusters of a service: each port but those of UDP, whole and by subset. Views into the snapshot.
std::vector<OutboundName> OutboundNames(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                        const model::ServiceView& service);

// The cluster for a destination of a rule: the port is the one that is named, else the service's only one, else the
// request's. `owner`: the namespace in which the rule was written.
std::string ClusterOf(const model::Proxy& proxy, const model::Snapshot& snapshot, const model::Destination& destination,
                      std::string_view owner, std::uint16_t request_port);
// Whether a match is for this client on this gateway ("mesh" or namespace/name) and port.
bool IsForClient(const model::SourceMatch& match, const model::Proxy& proxy, std::string_view gateway,
                 std::uint16_t port);

}  // namespace plait::control::translate
