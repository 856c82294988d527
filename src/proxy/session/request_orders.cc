#include "proxy/session/request_orders.h"

#include <algorithm>
#include <string>

#include "core/base/strings.h"

namespace plait::proxy::session {

std::optional<Duration> MillisecondsOf(const http::Headers& headers, std::string_view name) {
  const auto text = headers.Get(name);
  const auto value = text ? ParseUint(*text) : std::nullopt;
  return value ? std::optional<Duration>(std::chrono::milliseconds(std::min<std::uint64_t>(*value, 1U << 31)))
               : std::nullopt;
}

std::optional<Duration> GrpcTimeoutOf(const http::Headers& headers) {
  const auto text = headers.Get("grpc-timeout");
  if (!text || text->size() < 2 || text->size() > 9) return std::nullopt;
  const auto value = ParseUint(text->substr(0, text->size() - 1));
  if (!value) return std::nullopt;
  const auto n = static_cast<std::int64_t>(*value);
  switch (text->back()) {
    case 'H': return std::chrono::hours(std::min<std::int64_t>(n, 1'000'000));  // more does not fit
    case 'M': return std::chrono::minutes(n);
    case 'S': return std::chrono::seconds(n);
    case 'm': return std::chrono::milliseconds(n);
    case 'u': return std::chrono::microseconds(n);
    case 'n': return std::chrono::nanoseconds(n);
    default: return std::nullopt;
  }
}

void RemoveOrders(http::Headers& headers) {
  for (const std::string_view name :
       {"x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-retriable-status-codes",
        "x-envoy-retriable-header-names", "x-envoy-upstream-alt-stat-name", "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-hedge-on-per-try-timeout"}) {
    headers.Remove(name);
  }
}

}  // namespace plait::proxy::session
