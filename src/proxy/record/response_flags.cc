#include "proxy/record/response_flags.h"

#include <array>

namespace plait::proxy::record {
namespace {
struct Names {
  std::string_view brief;
  std::string_view full;
};
constexpr std::array<Names, static_cast<std::size_t>(ResponseFlag::kLast) + 1> kNames = {{
    {"-", "-"},
    {"LH", "FailedLocalHealthCheck"},
    {"UH", "NoHealthyUpstream"},
    {"UT", "UpstreamRequestTimeout"},
    {"LR", "LocalReset"},
    {"UR", "UpstreamRemoteReset"},
    {"UF", "UpstreamConnectionFailure"},
    {"UC", "UpstreamConnectionTermination"},
    {"UO", "UpstreamOverflow"},
    {"NR", "NoRouteFound"},
    {"DI", "DelayInjected"},
    {"FI", "FaultInjected"},
    {"RL", "RateLimited"},
    {"UAEX", "UnauthorizedExternalService"},
    {"RLSE", "RateLimitServiceError"},
    {"DC", "DownstreamConnectionTermination"},
    {"URX", "UpstreamRetryLimitExceeded"},
    {"SI", "StreamIdleTimeout"},
    {"IH", "InvalidEnvoyRequestHeaders"},
    {"DPE", "DownstreamProtocolError"},
    {"UMSDR", "UpstreamMaxStreamDurationReached"},
    {"RFCF", "ResponseFromCacheFilter"},
    {"NFCF", "NoFilterConfigFound"},
    {"DT", "DurationTimeout"},
    {"UPE", "UpstreamProtocolError"},
    {"NC", "NoClusterFound"},
    {"OM", "OverloadManagerTerminated"},
    {"DF", "DnsResolutionFailed"},
    {"DO", "DropOverload"},
    {"DR", "DownstreamRemoteReset"},
    {"UDO", "UnconditionalDropOverload"},
}};
}  // namespace

std::string_view ShortName(ResponseFlag flag) noexcept { return kNames[static_cast<std::size_t>(flag)].brief; }
std::string_view LongName(ResponseFlag flag) noexcept { return kNames[static_cast<std::size_t>(flag)].full; }

ResponseFlag FlagByShortName(std::string_view name) noexcept {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (kNames[i].brief == name) return static_cast<ResponseFlag>(i);
  }
  return ResponseFlag::kNone;
}

void ResponseFlags::AppendTo(std::string& out, bool long_names) const {
  if (empty()) {
    out += '-';
    return;
  }
  ResponseFlags rest = *this;
  const auto append = [&](ResponseFlag flag) {
    if (rest.bits_ != bits_) out += ',';
    out += long_names ? LongName(flag) : ShortName(flag);
    rest.bits_ &= ~ResponseFlags(flag).bits_;
  };
  for (std::uint64_t order = order_; order != 0; order >>= 8) append(static_cast<ResponseFlag>(order & 0xff));
  for (std::size_t i = 1; i < kNames.size() && !rest.empty(); ++i) {
    if (const auto flag = static_cast<ResponseFlag>(i); rest.Has(flag)) append(flag);
  }
}

std::string ResponseFlags::ToString() const {
  std::string out;
  AppendTo(out);
  return out;
}

}  // namespace plait::proxy::record
