#pragma once
// Private keys, certificates and signing requests: made, read, signed. Values; keys are shared, never copied, and their
// memory is zeroed when the last owner goes. Any thread.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace plait::tls {

enum class KeyType : std::uint8_t { kP256, kRsa2048 };

class PrivateKey {
 public:
  struct Native;  // crypto.h, only inside core/tls
  static PrivateKey Generate(KeyType type = KeyType::kP256);
  // `password`: of an encrypted one (PKCS #8, or the older Proc-Type: 4,ENCRYPTED).
  static Outcome<PrivateKey> FromPem(std::string_view pem, std::string_view password = {});
  std::string ToPem() const;  // PKCS #8, unencrypted: handle as a secret
  // True when this key belongs to the certificate.
  bool Matches(const class Certificate& certificate) const;

  explicit PrivateKey(std::shared_ptr<const Native> native) : native_(std::move(native)) {}
  const Native& native() const { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

// One X.509 certificate, parsed once.
class Certificate {
 public:
  struct Native;
  static Outcome<Certificate> FromPem(std::string_view pem);  // the first one in it
  static Outcome<Certificate> FromDer(std::string_view der);

  std::string ToPem() const;
  std::string ToDer() const;
  std::string subject() const;  // RFC 2253
  std::string sha256() const;   // of the DER form, hex
  std::string serial() const;   // hex, as config_dump and istioctl print it
  std::vector<std::string> uri_sans() const;
  std::vector<std::string> dns_sans() const;
  WallTime not_before() const;
  WallTime not_after() const;
  bool is_ca() const;

  explicit Certificate(std::shared_ptr<const Native> native) : native_(std::move(native)) {}
  const Native& native() const { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

// All certificates of a PEM bundle, in order. Errors: no certificate at all, or a broken one (with its number).
Outcome<std::vector<Certificate>> ReadBundle(std::string_view pem);

// A PKCS #10 request (PEM) that asks for this URI SAN; empty: for none, the authority knows who asks.
std::string MakeCsr(const PrivateKey& key, std::string_view uri_san);

struct Csr {
  struct Native;
  std::shared_ptr<const Native> native;  // holds the public key
  std::vector<std::string> uri_sans;     // what it asks for; never trusted (semantics.md 4)
};
// Errors: not a request, its signature does not prove possession of the key, or a weak key (RSA < 2048).
Outcome<Csr> ReadCsr(std::string_view pem);

struct CertificateTemplate {
  std::string subject_organization;  // "cluster.local" for a CA; empty subject for workloads
  std::string common_name;
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  WallTime not_before{};
  WallTime not_after{};
  bool is_ca = false;
};
struct Issuer {
  const Certificate& certificate;
  const PrivateKey& key;
};
// Signs for the key of a request, or for an own key; without an issuer the certificate is self-signed.
// notAfter is cut to the issuer's. SANs are critical when the subject is empty (RFC 5280 4.2.1.6).
Outcome<Certificate> SignCertificate(const CertificateTemplate& what, const Csr& request, const Issuer& issuer);
Outcome<Certificate> SignCertificate(const CertificateTemplate& what, const PrivateKey& key, const Issuer& issuer);
Outcome<Certificate> SelfSign(const CertificateTemplate& what, const PrivateKey& key);

std::string Sha256(std::string_view bytes);  // 32 raw bytes

}  // namespace plait::tls
