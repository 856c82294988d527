#include "proxy/session/failure.h"

#include <algorithm>
#include <array>

namespace plait::proxy::session {
namespace {
using record::ResponseFlag;

constexpr std::array<FailureFacts, static_cast<std::size_t>(Failure::kLast) + 1> kFacts = {{
    {404, ResponseFlag::kNoRouteFound, "route_not_found", ""},
    {503, ResponseFlag::kNoClusterFound, "cluster_not_found", ""},
    {503, ResponseFlag::kNoHealthyUpstream, "no_healthy_upstream", "no healthy upstream"},
    {503, ResponseFlag::kUpstreamConnectionFailure, "destination_lookup_timeout", "destination lookup timeout"},
    {503, ResponseFlag::kNoRouteFound, "route_configuration_timeout", ""},
    {400, ResponseFlag::kNone, "missing_host_header", ""},
    {400, ResponseFlag::kNone, "path_normalization_failed", ""},
    {403, ResponseFlag::kDownstreamProtocolError, "http1.https_url_on_plaintext_connection", "Forbidden"},
    {404, ResponseFlag::kNone, "absolute_path_rejected", ""},
    {403, ResponseFlag::kNone, "upgrade_failed", ""},
    {400, ResponseFlag::kDownstreamProtocolError, "nearly_http", "Bad Request"},
    {408, ResponseFlag::kNone, "request_header_timeout", "request header timeout"},
    {408, ResponseFlag::kNone, "request_overall_timeout", "request timeout"},
    {408, ResponseFlag::kStreamIdleTimeout, "stream_idle_timeout", "stream timeout"},
    {408, ResponseFlag::kNone, "max_duration_timeout", "downstream duration timeout"},
    {504, ResponseFlag::kUpstreamRequestTimeout, "response_timeout", "upstream request timeout"},
    {504, ResponseFlag::kUpstreamRequestTimeout, "upstream_per_try_timeout", "upstream request timeout"},
    {504, ResponseFlag::kUpstreamRequestTimeout, "upstream_per_try_idle_timeout", "upstream request timeout"},
    {504, ResponseFlag::kUpstreamMaxStreamDurationReached, "upstream_max_stream_duration_reached",
     "upstream max stream duration reached"},
    {503, ResponseFlag::kUpstreamConnectionFailure, "remote_connection_failure", "remote connection failure"},
    {503, ResponseFlag::kUpstreamConnectionFailure, "connection_timeout", "connection timeout"},
    {503, ResponseFlag::kUpstreamOverflow, "overflow", "overflow"},
    {503, ResponseFlag::kUpstreamRemoteReset, "remote_reset", "remote reset"},
    {503, ResponseFlag::kUpstreamRemoteReset, "remote_refused_stream_reset", "remote refused stream reset"},
    {503, ResponseFlag::kUpstreamConnectionTermination, "connection_termination", "connection termination"},
    {502, ResponseFlag::kUpstreamProtocolError, "protocol_error", "protocol error"},
    {503, ResponseFlag::kLocalReset, "local_reset", "local reset"},
}};

}  // namespace

const FailureFacts& FactsOf(Failure failure) noexcept { return kFacts[static_cast<std::size_t>(failure)]; }

std::optional<record::HttpStat> StatOf(Failure failure) noexcept {
  using record::HttpStat;
  switch (failure) {
    case Failure::kNoRoute: return HttpStat::kNoRoute;
    case Failure::kNoCluster: return HttpStat::kNoCluster;
    case Failure::kBadPath: return HttpStat::kRqFailedPathNormalization;
    case Failure::kAbsolutePath: return HttpStat::kRqNonRelativePath;
    case Failure::kUpgradeRefused: return HttpStat::kRqWsOnNonWsRoute;
    case Failure::kHeadTimeout: return HttpStat::kRqHeaderTimeout;
    case Failure::kRequestTimeout: return HttpStat::kRqTimeout;
    case Failure::kStreamIdle: return HttpStat::kRqIdleTimeout;
    case Failure::kMaxStreamDuration: return HttpStat::kRqMaxDurationReached;
    default: return std::nullopt;
  }
}

std::string DetailsOf(Failure failure, std::string_view transport, bool started) {
  const FailureFacts& facts = FactsOf(failure);
  if (!IsUpstreamReset(failure)) {
    std::string details(facts.details);
    if (failure == Failure::kNoHealthyUpstream && !transport.empty()) details.append("{").append(transport).append("}");
    return details;
  }
  std::string details(started ? "upstream_reset_after_response_started{" : "upstream_reset_before_response_started{");
  details += facts.details;
  if (!transport.empty()) details.append("|").append(transport);
  details += '}';
  std::replace(details.begin(), details.end(), ' ', '_');
  return details;
}

std::string BodyOf(Failure failure, bool retried) {
  const FailureFacts& facts = FactsOf(failure);
  if (!IsUpstreamReset(failure)) return std::string(facts.body);
  std::string body = "upstream connect error or disconnect/reset before headers. ";
  if (retried) body += "retried and the latest ";
  return body.append("reset reason: ").append(facts.body);
}

Failure FailureOfReset(http::ResetReason reason) noexcept {
  switch (reason) {
    case http::ResetReason::kRefused: return Failure::kUpstreamRefused;
    case http::ResetReason::kProtocol:
    case http::ResetReason::kFlowControl: return Failure::kUpstreamProtocol;
    case http::ResetReason::kConnectionClosed: return Failure::kUpstreamClosed;
    case http::ResetReason::kTimedOut: return Failure::kConnectTimeout;
    case http::ResetReason::kNone:
    case http::ResetReason::kCancel:
    case http::ResetReason::kOverflow:  // the peer's, not a limit of ours
    case http::ResetReason::kInternal: break;
  }
  return Failure::kUpstreamReset;
}

}  // namespace plait::proxy::session
