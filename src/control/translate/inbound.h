#pragma once
// What a workload serves: its ports, from the services that select it and from its containers.
#include <cstdint>
#include <vector>

#include "control/model/snapshot.h"

namespace plait::control::translate {

struct InboundPortView {
  std::uint16_t port = 0;  // of the workload
  model::Protocol protocol = model::Protocol::kAuto;
  std::vector<const model::ServiceView*> services = {};  // that lead to it; the first one names its metrics
  std::uint16_t service_port = 0;                        // of the first one
};
// Sorted by port. The workload is found by the proxy's addresses; without one (not reported yet) the labels decide.
std::vector<InboundPortView> InboundPortsOf(const model::Proxy& proxy, const model::Snapshot& snapshot);
const model::Workload* WorkloadOf(const model::Proxy& proxy, const model::Snapshot& snapshot);
// Whether annotation plait.dev/app-tls-ports ("8443,9443") names the port. `workload` may be null.
bool IsAppTls(const model::Workload* workload, std::uint16_t port);

}  // namespace plait::control::translate
