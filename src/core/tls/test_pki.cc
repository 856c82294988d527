#include "core/tls/test_pki.h"

namespace plait::tls {
namespace {
Certificate Root(const std::string& name, const PrivateKey& key) {
  const WallTime now = SystemClock().Wall();
  return *SelfSign({.subject_organization = name,
                    .common_name = {},
                    .uri_sans = {},
                    .dns_sans = {},
                    .not_before = now - std::chrono::hours(48),
                    .not_after = now + std::chrono::hours(48),
                    .is_ca = true},
                   key);
}
}  // namespace

TestCa::TestCa(const std::string& name) : root_(Root(name, key_)) {}

Identity TestCa::Issue(const std::string& uri, const std::string& dns, Duration lifetime) const {
  const WallTime now = SystemClock().Wall();
  CertificateTemplate what{.subject_organization = {},
                           .common_name = {},
                           .uri_sans = {},
                           .dns_sans = {},
                           .not_before = now - std::chrono::hours(24),
                           .not_after = now + lifetime};
  if (!uri.empty()) what.uri_sans.push_back(uri);
  if (!dns.empty()) what.dns_sans.push_back(dns);
  const PrivateKey key = PrivateKey::Generate();
  return {.chain_pem = SignCertificate(what, key, {root_, key_})->ToPem(), .key_pem = key.ToPem()};
}

}  // namespace plait::tls
