#pragma once
// The one table that says what the client, the log and the statistics see of each way in which a request fails: status,
// body, response flag, response code details. Texts are Envoy's, because people search for them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/codec.h"
#include "proxy/record/proxy_stats.h"
#include "proxy/record/response_flags.h"

namespace plait::proxy::session {

enum class Failure : std::uint8_t {
  // Before an upstream was asked.
  kNoRoute,
  kNoCluster,
  kNoHealthyUpstream,
  kLookupTimeout,  // the destination index did not answer (semantics.md 2)
  kRoutesTimeout,  // RDS did not answer
  kMissingHost,
  kBadPath,
  kHttpsUrl,      // an https URL on a plaintext connection of an edge
  kAbsolutePath,  // a target that is no path, "OPTIONS *" too
  kUpgradeRefused,
  kNearlyHttp,  // bytes that are meant as HTTP but are none (semantics.md 1)
  // Time.
  kHeadTimeout,     // the head of the request did not arrive in time
  kRequestTimeout,  // the request did not arrive in time
  kStreamIdle,
  kMaxStreamDuration,
  kResponseTimeout,  // the route's time-out
  kPerTryTimeout,
  kPerTryIdleTimeout,
  kUpstreamStreamDuration,  // x-envoy-upstream-stream-duration-ms
  // The upstream, before its response began.
  kConnectFailure,
  kConnectTimeout,
  kOverflow,
  kUpstreamReset,
  kUpstreamRefused,
  kUpstreamClosed,
  kUpstreamProtocol,
  kLocalReset,
  kLast = kLocalReset,
};

struct FailureFacts {
  std::uint16_t status;
  record::ResponseFlag flag;
  std::string_view details;  // for upstream failures: the reason inside the braces
  std::string_view body;     // for upstream failures: the reason in words
};
const FailureFacts& FactsOf(Failure failure) noexcept;
// True for those whose details and body are made of the reset reason and the transport's own reason.
constexpr bool IsUpstreamReset(Failure failure) noexcept { return failure >= Failure::kConnectFailure; }

// The counter of the connection manager that it adds to; nullopt: none.
std::optional<record::HttpStat> StatOf(Failure failure) noexcept;

// RESPONSE_CODE_DETAILS and the body of the local reply. `transport`: %UPSTREAM_TRANSPORT_FAILURE_REASON%, may be
// empty, never told to the client, or of kNoHealthyUpstream what it is by (xds::Cluster::refused_by); `retried`: this
// was not the first attempt; `started`: the response had begun.
std::string DetailsOf(Failure failure, std::string_view transport, bool started = false);
std::string BodyOf(Failure failure, bool retried);

// What a reset of our upstream stream means.
Failure FailureOfReset(http::ResetReason reason) noexcept;

}  // namespace plait::proxy::session
