#include "core/tls/root_certificate.h"

namespace plait::tls {
namespace {
constexpr Duration kRootLife = std::chrono::hours(24 * 365 * 10);
}  // namespace

Outcome<Certificate> MakeRoot(const std::string& trust_domain, const PrivateKey& key) {
  const WallTime now = SystemClock().Wall();
  return SelfSign({.subject_organization = trust_domain,
                   .common_name = {},
                   .uri_sans = {},
                   .dns_sans = {},
                   .not_before = now - kClockSkew,
                   .not_after = now + kRootLife,
                   .is_ca = true},
                  key);
}

}  // namespace plait::tls
