#include "core/xds/route.h"

#include <array>
#include <utility>

#include "core/base/strings.h"

namespace plait::xds {
namespace {
constexpr std::array<std::pair<std::string_view, std::uint32_t>, 17> kWords{{
    {"5xx", kRetry5xx},
    {"gateway-error", kRetryGatewayError},
    {"reset", kRetryReset},
    {"reset-before-request", kRetryResetBeforeRequest},
    {"connect-failure", kRetryConnectFailure},
    {"retriable-4xx", kRetryRetriable4xx},
    {"refused-stream", kRetryRefusedStream},
    {"retriable-status-codes", kRetryRetriableStatusCodes},
    {"retriable-headers", kRetryRetriableHeaders},
    {"envoy-ratelimited", kRetryEnvoyRateLimited},
    {"http3-post-connect-failure", kRetryHttp3PostConnectFailure},
    {"cancelled", kRetryGrpcCancelled},
    {"deadline-exceeded", kRetryGrpcDeadlineExceeded},
    {"resource-exhausted", kRetryGrpcResourceExhausted},
    {"unavailable", kRetryGrpcUnavailable},
    {"internal", kRetryGrpcInternal},
    {"", 0},  // "5xx,," and a trailing comma, as Envoy reads them
}};
}  // namespace

std::optional<std::uint32_t> ParseRetryOn(std::string_view text, std::string* unknown) {
  std::uint32_t bits = 0;
  for (std::string_view part : Split(text, ',')) {
    part = Trim(part);
    bool found = false;
    for (const auto& [word, bit] : kWords) {
      if (part != word) continue;
      bits |= bit;
      found = true;
      break;
    }
    if (!found) {
      if (unknown != nullptr) *unknown = std::string(part);
      return std::nullopt;
    }
  }
  return bits;
}

std::string FormatRetryOn(std::uint32_t bits) {
  std::string out;
  for (const auto& [word, bit] : kWords) {
    if ((bits & bit) == 0) continue;
    if (!out.empty()) out += ',';
    out += word;
  }
  return out;
}

}  // namespace plait::xds
