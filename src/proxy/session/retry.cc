#include "proxy/session/retry.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/strings.h"
#include "proxy/match/string_match.h"

namespace plait::proxy::session {
namespace {

// gRPC status codes by their numbers on the wire.
std::uint32_t BitOfGrpcStatus(std::uint64_t status) {
  switch (status) {
    case 1: return xds::kRetryGrpcCancelled;
    case 4: return xds::kRetryGrpcDeadlineExceeded;
    case 8: return xds::kRetryGrpcResourceExhausted;
    case 13: return xds::kRetryGrpcInternal;
    case 14: return xds::kRetryGrpcUnavailable;
    default: return 0;
  }
}

constexpr std::uint32_t kGrpc = xds::kRetryGrpcCancelled | xds::kRetryGrpcDeadlineExceeded |
                                xds::kRetryGrpcResourceExhausted | xds::kRetryGrpcUnavailable | xds::kRetryGrpcInternal;

// What a request asks for; words that are not known mean nothing.
std::uint32_t Asked(std::string_view list) {
  std::uint32_t bits = 0;
  for (const std::string_view word : Split(list, ',')) bits |= xds::ParseRetryOn(word).value_or(0);
  return bits;
}

bool Contains(const std::vector<std::uint16_t>& codes, std::uint16_t code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

RetryState::RetryState(const xds::RetryPolicy& policy, const http::RequestHead& request)
    : policy_(policy),
      on_(policy.retry_on),
      left_(policy.retry_on != 0 ? policy.num_retries : 0),
      interval_(policy.back_off_base) {
  const auto invites = [&](const xds::HeaderMatcher& matcher) {
    const auto compiled = match::HeaderMatch::Compile(matcher);
    return compiled && compiled->Matches(request);
  };
  const auto& wanted = policy.retriable_request_headers;
  if (!wanted.empty() && std::none_of(wanted.begin(), wanted.end(), invites)) {
    on_ = left_ = 0;
    return;
  }
  bool added = false;
  for (const auto& [name, known] : {std::pair("x-envoy-retry-on", ~kGrpc), std::pair("x-envoy-retry-grpc-on", kGrpc)}) {
    if (const auto list = request.headers.Get(name)) {
      on_ |= Asked(*list) & known;
      added = true;
    }
  }
  if (added && left_ == 0) left_ = 1;
  if (!added && on_ == 0) return;
  if (const auto text = request.headers.Get("x-envoy-max-retries")) {
    if (const auto count = ParseUint(*text)) left_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(*count, 1000));
  }
  if (const auto text = request.headers.Get("x-envoy-retriable-status-codes")) {
    for (const std::string_view part : Split(*text, ',')) {
      const auto code = ParseUint(Trim(part));
      if (code && *code <= 599) extra_codes_.push_back(static_cast<std::uint16_t>(*code));
    }
  }
  if (const auto text = request.headers.Get("x-envoy-retriable-header-names")) {
    for (const std::string_view part : Split(*text, ',')) {
      if (!Trim(part).empty()) extra_headers_.emplace_back(Trim(part));
    }
  }
}

bool RetryState::Matches(const http::ResponseHead& response) const {
  if (response.headers.Has("x-envoy-ratelimited")) return (on_ & xds::kRetryEnvoyRateLimited) != 0;
  const std::uint16_t status = response.status;
  if ((on_ & xds::kRetry5xx) != 0 && status >= 500 && status <= 599) return true;
  if ((on_ & xds::kRetryGatewayError) != 0 && status >= 502 && status <= 504) return true;
  if ((on_ & xds::kRetryRetriable4xx) != 0 && status == 409) return true;
  if ((on_ & xds::kRetryRetriableStatusCodes) != 0 &&
      (Contains(policy_.retriable_status_codes, status) || Contains(extra_codes_, status))) {
    return true;
  }
  if ((on_ & xds::kRetryRetriableHeaders) != 0) {
    for (const xds::HeaderMatcher& matcher : policy_.retriable_headers) {
      // Compiled here because hardly any policy has them.
      const auto compiled = match::HeaderMatch::Compile(matcher);
      if (compiled && compiled->Matches(response.headers)) return true;
    }
    for (const std::string& name : extra_headers_) {
      if (response.headers.Has(name)) return true;
    }
  }
  return WantsRetryOfGrpc(response);
}

bool RetryState::WantsRetryOfGrpc(const http::ResponseHead& response) const {
  if ((on_ & kGrpc) == 0) return false;
  // Only a trailers-only response tells its status before bytes went to the client.
  const auto text = response.headers.Get("grpc-status");
  const auto status = text ? ParseUint(*text) : std::nullopt;
  return status && (on_ & BitOfGrpcStatus(*status)) != 0;
}

bool RetryState::Matches(AttemptFailure failure, bool request_sent) const {
  if (failure == AttemptFailure::kOverflow) return false;
  if ((on_ & (xds::kRetryReset | xds::kRetry5xx | xds::kRetryGatewayError)) != 0) return true;
  if ((on_ & xds::kRetryResetBeforeRequest) != 0 && !request_sent) return true;
  switch (failure) {
    case AttemptFailure::kConnectFailure:
    case AttemptFailure::kConnectTimeout: return (on_ & xds::kRetryConnectFailure) != 0;
    case AttemptFailure::kRefusedStream: return (on_ & xds::kRetryRefusedStream) != 0;
    default: return false;
  }
}

Duration RetryState::Take(Random& random) {
  --left_;
  const auto times = [](Duration span, int n) { return span > Duration::max() / n ? Duration::max() : span * n; };
  const Duration most = policy_.back_off_max.value_or(times(policy_.back_off_base, 10));
  const Duration window = std::max(interval_, Duration(1));
  interval_ = std::min(times(interval_, 2), most);
  return Duration(static_cast<Duration::rep>(random.Below(static_cast<std::uint64_t>(window.count()))));
}

}  // namespace plait::proxy::session
