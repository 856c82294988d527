#pragma once
// The HTTP connection manager and access log that all listeners of a mesh share.
#include <string>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/listener.h"

namespace plait::control::translate {

enum class Side : std::uint8_t { kOutbound, kInbound, kGateway };

// `before`: filters that come first (RBAC).
xds::HttpConnectionManager ConnectionManager(const model::Snapshot& snapshot, Side side, std::string route_name,
                                             std::vector<xds::HttpFilter> before);
xds::TcpProxy TcpTemplate(const model::Snapshot& snapshot, std::string stat_prefix);
std::vector<xds::AccessLog> AccessLogs(const model::Snapshot& snapshot);
// Of a listener: only the connections that it has no filter chain for, since the others leave lines of their own.
std::vector<xds::AccessLog> ListenerAccessLogs(const model::Snapshot& snapshot);

}  // namespace plait::control::translate
