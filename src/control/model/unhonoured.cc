#include "control/model/unhonoured.h"

#include <array>

namespace plait::control::model {
namespace {
struct Unhonoured {
  std::string_view field;
  const char* why;
};

constexpr std::array kNetworking{
    Unhonoured{"HTTPMatchRequest.stat_prefix", ""},
    Unhonoured{"HTTPRetry.retry_remote_localities", "a retry chooses among localities as the first attempt does"},
    Unhonoured{"HTTPFaultInjection.Delay.exponential_delay", "use fixedDelay"},
    Unhonoured{"HTTPFaultInjection.Abort.http2_error", "use httpStatus"},
    Unhonoured{"L4MatchAttributes.source_subnet", "Istio does not honour it either"},
    Unhonoured{"TrafficPolicy.tunnel", ""},
    Unhonoured{"TrafficPolicy.proxy_protocol", ""},
    Unhonoured{"TrafficPolicy.RetryBudget.budget_interval", "the budget is of the active requests"},
    Unhonoured{"LoadBalancerSettings.zone_aware_lb_setting",
               "proxies do not know how many clients each zone has; use localityLbSetting"},
    Unhonoured{"ConnectionPoolSettings.HTTPSettings.http2_keep_alive", ""},
    Unhonoured{"OutlierDetection.outlier_detection_http_error_codes", ""},
    Unhonoured{"ClientTLSSettings.credential_name",
               "name files of the client's proxy; MUTUAL without them sends nothing (503)"},
    Unhonoured{"ClientTLSSettings.ca_crl", ""},
    Unhonoured{"Server.default_endpoint", "Istio does not honour it either"},
    Unhonoured{"ServerTLSSettings.ca_crl", ""},
    Unhonoured{"ServerTLSSettings.credential_names", "use credentialName"},
    Unhonoured{"ServerTLSSettings.ca_cert_credential_name", ""},
    Unhonoured{"ServerTLSSettings.tls_certificates", "use credentialName"},
    Unhonoured{"ServerTLSSettings.verify_certificate_spki", ""},
    Unhonoured{"ServerTLSSettings.verify_certificate_hash", ""},
    Unhonoured{"ServerTLSSettings.insecure_skip_verify", ""},
    Unhonoured{"Port.target_port", ""},
};
constexpr std::array kSecurity{
    Unhonoured{"AuthorizationPolicy.targetRef", "name the gateway's pods in selector"},
    Unhonoured{"AuthorizationPolicy.targetRefs", "name the gateway's pods in selector"},
    Unhonoured{"AuthorizationPolicy.provider", "external authorization"},
    Unhonoured{"Source.request_principals", "it needs token authentication"},
    Unhonoured{"Source.not_request_principals", "it needs token authentication"},
};

constexpr const char* kWarmup = "plait-proxy gives a new host its full share at once (an Envoy in its place does not)";
constexpr std::array kWithoutEffect{
    Unhonoured{"LoadBalancerSettings.warmup", kWarmup},
    Unhonoured{"LoadBalancerSettings.warmup_duration_secs", kWarmup},
    Unhonoured{"ConnectionPoolSettings.TCPSettings.idle_timeout", "an idle TCP connection ends after an hour"},
    Unhonoured{"Server.name", "statistics have the names of listeners"},
    Unhonoured{"ServiceEntry.location", "what each endpoint is decides on mutual TLS"},
};

template <std::size_t N>
const char* Find(const std::array<Unhonoured, N>& table, std::string_view field) noexcept {
  for (const Unhonoured& entry : table)
    if (entry.field == field) return entry.why;
  return nullptr;
}
}  // namespace

const char* WhyUnhonoured(std::string_view full_name) noexcept {
  constexpr std::string_view kNetworkingPackage = "istio.networking.v1alpha3.";
  constexpr std::string_view kSecurityPackage = "istio.security.v1beta1.";
  if (full_name.starts_with(kNetworkingPackage)) return Find(kNetworking, full_name.substr(kNetworkingPackage.size()));
  if (full_name.starts_with(kSecurityPackage)) return Find(kSecurity, full_name.substr(kSecurityPackage.size()));
  return nullptr;
}

const char* WhyWithoutEffect(std::string_view full_name) noexcept {
  constexpr std::string_view kPackage = "istio.networking.v1alpha3.";
  return full_name.starts_with(kPackage) ? Find(kWithoutEffect, full_name.substr(kPackage.size())) : nullptr;
}
}  // namespace plait::control::model
