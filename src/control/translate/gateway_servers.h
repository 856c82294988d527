#pragma once
// The servers of all Gateways that a gateway proxy plays.
#include <string>
#include <vector>

#include "control/model/snapshot.h"

namespace plait::control::translate {

struct ServerView {
  const model::Gateway* gateway = nullptr;
  const model::GatewayServer* server = nullptr;
  std::string route_name = {};  // empty: not HTTP
};
std::vector<ServerView> ServersOf(const model::Proxy& proxy, const model::Snapshot& snapshot);

// Hosts of a server without their namespace part.
std::vector<std::string> ServerHosts(const ServerView& server);
// Hosts of a VirtualService that the server takes, the narrower of the two where one is a wildcard; empty when its
// namespace is not allowed.
std::vector<std::string> SharedHosts(const ServerView& server, const model::VirtualService& rule,
                                     std::string_view cluster_domain);

// Whether a server with AUTO_PASSTHROUGH hands TLS on to a service: one of the mesh whose host it lists.
bool PassesOn(const ServerView& server, const model::ServiceView& service);
// Whether any server of the gateway does; never for a sidecar.
bool PassesOn(const model::Proxy& proxy, const model::Snapshot& snapshot, const model::ServiceView& service);

}  // namespace plait::control::translate
