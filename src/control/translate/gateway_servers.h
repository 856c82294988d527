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

}  // namespace plait::control::translate
