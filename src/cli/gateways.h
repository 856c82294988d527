#pragma once
// What gateways say of themselves by their /config_dump: under which URLs something answers, and which listeners are
// not in force. Pure but for AskGateways.
#include <memory>
#include <string>
#include <vector>

#include "cli/render.h"
#include "cli/verbs.h"
#include "local/mesh_status.h"

namespace plait::cli {

struct GatewayDump {
  std::string workload;  // "istio-ingressgateway-0.istio-system"
  std::shared_ptr<const Json> dump;
};
// Of the gateways that are ready. One that does not answer soon is left out: this is told beside what was asked for.
std::vector<GatewayDump> AskGateways(const MeshOptions& mesh, const local::MeshStatus& status);

// What to type to get an answer through a port of this host: "http://127.0.0.1:8080/productpage", or a curl where the
// name of the host must be given. One for each port and host, by the first route with a path that asks for nothing
// else.
struct WayIn {
  Port port;  // of the gateway
  std::string command;
};
std::vector<WayIn> WaysIn(const std::vector<GatewayDump>& gateways, const std::vector<local::GatewayPortStatus>& ports);

// The listeners of a proxy whose last version is not in force, as by a port that somebody else has: what the proxy
// said, from a /config_dump, also one of ?resource=dynamic_listeners.
std::vector<std::string> ListenerFailures(const Json& dump);
// One of them, of a workload, as people read it.
std::string NotServed(const std::string& workload, const std::string& failure);

}  // namespace plait::cli
