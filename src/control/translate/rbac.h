#pragma once
// AuthorizationPolicies as RBAC filters, in Istio's order and with Istio's policy names. Pure.
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/http_filters.h"
#include "core/xds/network_filters.h"

namespace plait::control::translate {

// DENY, then ALLOW; none when no policy is in scope. A policy that is invalid denies everything.
std::vector<xds::HttpFilter> HttpRbac(const model::Proxy& proxy, const model::Snapshot& snapshot);
// The same for connections that are not HTTP: a rule with HTTP fields never matches in ALLOW, in DENY they are dropped.
std::vector<xds::NetworkRbac> TcpRbac(const model::Proxy& proxy, const model::Snapshot& snapshot);

}  // namespace plait::control::translate
