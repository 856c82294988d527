#pragma once
// Routes of TCP and TLS connections (plait.proxy.v1.L4Routes), by original port. Pure.
#include <optional>
#include <string_view>

#include "control/model/snapshot.h"
#include "core/xds/plait_forms.h"

namespace plait::control::translate {

// Rules of VirtualServices for services on this port, then TLS hosts that are known by SNI only. nullopt: none, the
// destination address decides. Reads the services on the port and the VirtualServices with tls or tcp rules.
std::optional<xds::L4Routes> FindL4Routes(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                          std::string_view name);

}  // namespace plait::control::translate
