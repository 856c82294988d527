#pragma once
// How long the certificates of a pod's proxy live: variable SECRET_TTL of Istio's agent, in `proxyMetadata` of the
// annotation proxy.istio.io/config. Pure.
#include "local/desired.h"

namespace plait::local {

inline constexpr Duration kCertificateTtl = std::chrono::hours(24);  // where nobody says
// The proxy asks for the next one after 80 % of it: what is left has to be enough for an answer.
inline constexpr Duration kShortestCertificateTtl = std::chrono::seconds(10);

// Errors: the annotation is not YAML, or the value no duration from kShortestCertificateTtl on.
Outcome<Duration> CertificateTtl(const PodSpec& pod);

}  // namespace plait::local
