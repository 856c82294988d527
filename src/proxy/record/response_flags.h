#pragma once
// Why a stream did not end the ordinary way: Envoy's response flags with their short and long names (%RESPONSE_FLAGS%).
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace plait::proxy::record {

enum class ResponseFlag : std::uint8_t {
  kNone,
  kFailedLocalHealthCheck,            // LH
  kNoHealthyUpstream,                 // UH
  kUpstreamRequestTimeout,            // UT
  kLocalReset,                        // LR
  kUpstreamRemoteReset,               // UR
  kUpstreamConnectionFailure,         // UF
  kUpstreamConnectionTermination,     // UC
  kUpstreamOverflow,                  // UO
  kNoRouteFound,                      // NR
  kDelayInjected,                     // DI
  kFaultInjected,                     // FI
  kRateLimited,                       // RL
  kUnauthorizedExternalService,       // UAEX
  kRateLimitServiceError,             // RLSE
  kDownstreamConnectionTermination,   // DC
  kUpstreamRetryLimitExceeded,        // URX
  kStreamIdleTimeout,                 // SI
  kInvalidEnvoyRequestHeaders,        // IH
  kDownstreamProtocolError,           // DPE
  kUpstreamMaxStreamDurationReached,  // UMSDR
  kResponseFromCacheFilter,           // RFCF
  kNoFilterConfigFound,               // NFCF
  kDurationTimeout,                   // DT
  kUpstreamProtocolError,             // UPE
  kNoClusterFound,                    // NC
  kOverloadManager,                   // OM
  kDnsResolutionFailed,               // DF
  kDropOverload,                      // DO
  kDownstreamRemoteReset,             // DR
  kUnconditionalDropOverload,         // UDO
  kLast = kUnconditionalDropOverload,
};

// A set of flags that knows in which order they were set: Envoy writes them so.
class ResponseFlags {
 public:
  constexpr ResponseFlags() = default;
  constexpr ResponseFlags(ResponseFlag flag) { Set(flag); }  // NOLINT(google-explicit-constructor): a flag is a set
  constexpr void Set(ResponseFlag flag) noexcept {
    if (flag == ResponseFlag::kNone || Has(flag)) return;
    const int before = std::popcount(bits_);
    if (before < kOrdered) order_ |= std::uint64_t{static_cast<std::uint8_t>(flag)} << (8 * before);
    bits_ |= std::uint64_t{1} << static_cast<unsigned>(flag);
  }
  constexpr bool Has(ResponseFlag flag) const noexcept { return (bits_ >> static_cast<unsigned>(flag)) & 1U; }
  constexpr bool empty() const noexcept { return bits_ == 0; }
  constexpr std::uint64_t bits() const noexcept { return bits_; }
  friend constexpr bool operator==(ResponseFlags a, ResponseFlags b) noexcept { return a.bits_ == b.bits_; }

  // Appends "UF,URX" (or the long names), "-" for none.
  void AppendTo(std::string& out, bool long_names = false) const;
  std::string ToString() const;

 private:
  static constexpr int kOrdered = 8;  // further ones are written last, in the order of their names above
  std::uint64_t bits_ = 0;
  std::uint64_t order_ = 0;  // a byte a flag, the first one lowest
};

std::string_view ShortName(ResponseFlag flag) noexcept;  // "UF"
std::string_view LongName(ResponseFlag flag) noexcept;   // "UpstreamConnectionFailure"
// The flag of a short name; kNone when there is none.
ResponseFlag FlagByShortName(std::string_view name) noexcept;

}  // namespace plait::proxy::record
