#include "core/tls/test_pki.h"

#include "core/base/check.h"
#include "core/tls/crypto.h"

namespace plait::tls {
namespace {

Certificate Root(const std::string& name, const PrivateKey& key, Duration lifetime) {
  const WallTime now = SystemClock().Wall();
  return *SelfSign({.subject_organization = name,
                    .common_name = {},
                    .uri_sans = {},
                    .dns_sans = {},
                    .not_before = now - lifetime,
                    .not_after = now + lifetime,
                    .is_ca = true},
                   key);
}

Identity Leaf(const Issuer& issuer, const std::string& uri, const std::string& dns, Duration lifetime) {
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
  return {.chain_pem = SignCertificate(what, key, issuer)->ToPem(), .key_pem = key.ToPem()};
}

bssl::UniquePtr<ASN1_TIME> At(WallTime time) {
  return bssl::UniquePtr<ASN1_TIME>(
      ASN1_TIME_set_posix(nullptr, std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count()));
}

}  // namespace

TestCa::TestCa(const std::string& name, Duration lifetime) : root_(Root(name, key_, lifetime)) {}

Identity TestCa::Issue(const std::string& uri, const std::string& dns, Duration lifetime) const {
  return Leaf({root_, key_}, uri, dns, lifetime);
}

Identity TestCa::IssueBelow(const std::string& uri, Duration lifetime, Duration intermediate) const {
  const WallTime now = SystemClock().Wall();
  const PrivateKey key = PrivateKey::Generate();
  const Certificate between = *SignCertificate({.subject_organization = "between",
                                                .common_name = {},
                                                .uri_sans = {},
                                                .dns_sans = {},
                                                .not_before = now - std::chrono::hours(24),
                                                .not_after = now + intermediate,
                                                .is_ca = true},
                                               key, {root_, key_});
  const WallTime end = now + lifetime;
  // SignCertificate cuts notAfter to the issuer's: for a leaf that outlives it, sign with a twin that lives longer.
  const Certificate twin = *SignCertificate({.subject_organization = "between",
                                             .common_name = {},
                                             .uri_sans = {},
                                             .dns_sans = {},
                                             .not_before = now - std::chrono::hours(24),
                                             .not_after = end,
                                             .is_ca = true},
                                            key, {root_, key_});
  Identity out = Leaf({twin, key}, uri, {}, lifetime);
  out.chain_pem += between.ToPem();
  return out;
}

std::string TestCa::Revoke(const std::vector<Identity>& revoked, Duration next_update) const {
  const WallTime now = SystemClock().Wall();
  const bssl::UniquePtr<X509_CRL> crl(X509_CRL_new());
  X509_CRL* list = crl.get();
  PLAIT_CHECK(X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(list, X509_get_subject_name(root_.native().x509.get())) == 1 &&
              X509_CRL_set1_lastUpdate(list, At(now - std::chrono::hours(1)).get()) == 1 &&
              X509_CRL_set1_nextUpdate(list, At(now + next_update).get()) == 1);
  for (const Identity& identity : revoked) {
    const Certificate leaf = *Certificate::FromPem(identity.chain_pem);
    bssl::UniquePtr<X509_REVOKED> entry(X509_REVOKED_new());
    PLAIT_CHECK(X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(leaf.native().x509.get())) == 1 &&
                X509_REVOKED_set_revocationDate(entry.get(), At(now - std::chrono::hours(1)).get()) == 1 &&
                X509_CRL_add0_revoked(list, entry.release()) == 1);
  }
  PLAIT_CHECK(X509_CRL_sort(list) == 1 && X509_CRL_sign(list, key_.native().key.get(), EVP_sha256()) > 0);
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PLAIT_CHECK(PEM_write_bio_X509_CRL(bio.get(), list) == 1);
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(bio.get(), &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace plait::tls
