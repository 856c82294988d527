// Signing requests and certificates (RFC 2986, RFC 5280).
#include <algorithm>

#include "core/base/check.h"
#include "core/base/random.h"
#include "core/tls/certificate.h"
#include "core/tls/crypto.h"

namespace plait::tls {
namespace {

bool AddName(X509_NAME* name, const char* field, const std::string& value) {
  return value.empty() ||
         X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const std::uint8_t*>(value.data()),
                                    static_cast<ossl_ssize_t>(value.size()), -1, 0) == 1;
}

void PushName(GENERAL_NAMES* names, int type, const std::string& value) {
  bssl::UniquePtr<ASN1_IA5STRING> text(ASN1_IA5STRING_new());
  PLAIT_CHECK(ASN1_STRING_set(text.get(), value.data(), static_cast<ossl_ssize_t>(value.size())) == 1);
  bssl::UniquePtr<GENERAL_NAME> name(GENERAL_NAME_new());
  GENERAL_NAME_set0_value(name.get(), type, text.release());
  PLAIT_CHECK(bssl::PushToStack(names, std::move(name)));
}

bssl::UniquePtr<GENERAL_NAMES> Names(const std::vector<std::string>& uris, const std::vector<std::string>& dns) {
  bssl::UniquePtr<GENERAL_NAMES> names(GENERAL_NAMES_new());
  for (const std::string& uri : uris) PushName(names.get(), GEN_URI, uri);
  for (const std::string& host : dns) PushName(names.get(), GEN_DNS, host);
  return names;
}

void AddUriSan(X509_REQ* request, const std::string& uri) {
  std::uint8_t* der = nullptr;
  const int size = i2d_GENERAL_NAMES(Names({uri}, {}).get(), &der);
  PLAIT_CHECK(size > 0);
  const bssl::UniquePtr<ASN1_OCTET_STRING> octets(ASN1_OCTET_STRING_new());
  ASN1_STRING_set0(octets.get(), der, size);
  bssl::UniquePtr<X509_EXTENSION> extension(
      X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 1, octets.get()));
  const bssl::UniquePtr<STACK_OF(X509_EXTENSION)> extensions(sk_X509_EXTENSION_new_null());
  PLAIT_CHECK(bssl::PushToStack(extensions.get(), std::move(extension)));
  PLAIT_CHECK(X509_REQ_add_extensions(request, extensions.get()) == 1);
}

bool AddText(X509* x509, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  const bssl::UniquePtr<X509_EXTENSION> extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(x509, extension.get(), -1) == 1;
}

bool SetTime(ASN1_TIME* out, WallTime time) {
  return ASN1_TIME_set_posix(out, std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count()) != nullptr;
}

// Positive, at most 20 octets, not guessable (RFC 5280 4.1.2.2).
bool SetSerial(X509* x509) {
  std::array<std::uint8_t, 16> random{};
  FillSecret(random);
  random[0] = static_cast<std::uint8_t>((random[0] & 0x7fU) | 0x01U);
  const bssl::UniquePtr<BIGNUM> number(BN_bin2bn(random.data(), random.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) != nullptr;
}

bool AddExtensions(X509* x509, X509* issuer, const CertificateTemplate& what) {
  if (!AddText(x509, issuer, NID_basic_constraints, what.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"))
    return false;
  if (!AddText(x509, issuer, NID_key_usage,
               what.is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature,keyEncipherment"))
    return false;
  if (!what.is_ca && !AddText(x509, issuer, NID_ext_key_usage, "serverAuth,clientAuth")) return false;
  if (!AddText(x509, issuer, NID_subject_key_identifier, "hash")) return false;
  if (issuer != x509 && !AddText(x509, issuer, NID_authority_key_identifier, "keyid")) return false;
  if (what.uri_sans.empty() && what.dns_sans.empty()) return true;
  const bool critical = what.common_name.empty() && what.subject_organization.empty();
  return X509_add1_ext_i2d(x509, NID_subject_alt_name, Names(what.uri_sans, what.dns_sans).get(), critical ? 1 : 0,
                           0) == 1;
}

Outcome<Certificate> Sign(const CertificateTemplate& what, EVP_PKEY* subject_key, const Issuer* issuer,
                          EVP_PKEY* signing_key) {
  auto native = std::make_shared<Certificate::Native>();
  native->x509.reset(X509_new());
  X509* x509 = native->x509.get();
  X509* issuer_x509 = issuer != nullptr ? issuer->certificate.native().x509.get() : x509;
  const WallTime end = issuer != nullptr ? std::min(what.not_after, issuer->certificate.not_after()) : what.not_after;
  X509_NAME* subject = X509_get_subject_name(x509);
  const bool made = X509_set_version(x509, X509_VERSION_3) == 1 && SetSerial(x509) &&
                    SetTime(X509_getm_notBefore(x509), what.not_before) && SetTime(X509_getm_notAfter(x509), end) &&
                    AddName(subject, "O", what.subject_organization) && AddName(subject, "CN", what.common_name) &&
                    X509_set_pubkey(x509, subject_key) == 1 &&
                    X509_set_issuer_name(x509, X509_get_subject_name(issuer_x509)) == 1 &&
                    AddExtensions(x509, issuer_x509, what) && X509_sign(x509, signing_key, EVP_sha256()) > 0;
  if (!made) return Explain(Errc::kInternal, "cannot sign the certificate: " + LastReason());
  return Certificate(std::move(native));
}

}  // namespace

std::string MakeCsr(const PrivateKey& key, std::string_view uri_san) {
  const bssl::UniquePtr<X509_REQ> request(X509_REQ_new());
  EVP_PKEY* native = key.native().key.get();
  PLAIT_CHECK(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
              X509_REQ_set_pubkey(request.get(), native) == 1);
  if (!uri_san.empty()) AddUriSan(request.get(), std::string(uri_san));
  PLAIT_CHECK(X509_REQ_sign(request.get(), native, EVP_sha256()) > 0);
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PLAIT_CHECK(PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  const std::uint8_t* data = nullptr;
  std::size_t length = 0;
  BIO_mem_contents(bio.get(), &data, &length);
  return {reinterpret_cast<const char*>(data), length};
}

Outcome<Csr> ReadCsr(std::string_view pem) {
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<ossl_ssize_t>(pem.size())));
  const bssl::UniquePtr<X509_REQ> request(PEM_read_bio_X509_REQ(bio.get(), nullptr, NoPassword, nullptr));
  if (!request) return Explain(Errc::kInvalidInput, "not a PEM certificate request: " + LastReason());
  bssl::UniquePtr<EVP_PKEY> key(X509_REQ_get_pubkey(request.get()));
  if (!key || X509_REQ_verify(request.get(), key.get()) != 1)
    return Explain(Errc::kInvalidInput,
                   "the request's signature does not prove possession of its key: " + LastReason());
  if (EVP_PKEY_id(key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) < 2048)
    return Explain(Errc::kInvalidInput, "RSA key of " + std::to_string(EVP_PKEY_bits(key.get())) + " bits",
                   "use P-256 or RSA with 2048 bits or more");
  Csr out;
  if (const bssl::UniquePtr<STACK_OF(X509_EXTENSION)> extensions(X509_REQ_get_extensions(request.get())); extensions) {
    const bssl::UniquePtr<GENERAL_NAMES> names(
        static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
    out.uri_sans = SansOf(names.get(), GEN_URI);
  }
  ERR_clear_error();
  auto native = std::make_shared<Csr::Native>();
  native->public_key = std::move(key);
  out.native = std::move(native);
  return out;
}

Outcome<Certificate> SignCertificate(const CertificateTemplate& what, const Csr& request, const Issuer& issuer) {
  return Sign(what, request.native->public_key.get(), &issuer, issuer.key.native().key.get());
}

Outcome<Certificate> SignCertificate(const CertificateTemplate& what, const PrivateKey& key, const Issuer& issuer) {
  return Sign(what, key.native().key.get(), &issuer, issuer.key.native().key.get());
}

Outcome<Certificate> SelfSign(const CertificateTemplate& what, const PrivateKey& key) {
  return Sign(what, key.native().key.get(), nullptr, key.native().key.get());
}

}  // namespace plait::tls
