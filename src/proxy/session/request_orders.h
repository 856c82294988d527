#pragma once
// What a request itself asks of the router by its headers: time limits and retries (x-envoy-*, trusted only from
// internal clients: request_edge.h removes them from others) and gRPC's deadline. Pure.
#include <optional>
#include <string_view>

#include "core/base/time.h"
#include "core/http/headers.h"

namespace plait::proxy::session {

// A field that holds milliseconds in decimal; at most 2^31. nullopt: absent or no number.
std::optional<Duration> MillisecondsOf(const http::Headers& headers, std::string_view name);
// grpc-timeout: "100m", "5S" (gRPC over HTTP/2, Timeout). nullopt: absent or broken.
std::optional<Duration> GrpcTimeoutOf(const http::Headers& headers);
// What an internal client asks of this proxy is not asked of the next one. RetryState has read it.
void RemoveOrders(http::Headers& headers);

}  // namespace plait::proxy::session
