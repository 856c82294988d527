#pragma once
// The routes of an inbound port that names none (plait_forms.h, Inbound::http): one route to `cluster`. Pure.
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/route/route_table.h"

namespace plait::proxy::session {

std::shared_ptr<const route::RouteTable> MakeInboundRoutes(std::uint16_t port, const std::string& cluster);

}  // namespace plait::proxy::session
