#include "core/tls/certificate.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/encoding.h"
#include "core/base/random.h"
#include "core/tls/crypto.h"

namespace plait::tls {
namespace {

bssl::UniquePtr<BIO> ReadBio(std::string_view text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<ossl_ssize_t>(text.size())));
}

std::string Contents(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(bio, &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

bssl::UniquePtr<GENERAL_NAMES> SubjectAltNames(const X509* x509) {
  return bssl::UniquePtr<GENERAL_NAMES>(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
}

int GivePassword(char* out, int size, int /*writing*/, void* user) {
  const auto& password = *static_cast<const std::string_view*>(user);
  if (password.size() > static_cast<std::size_t>(size)) return 0;
  return static_cast<int>(password.copy(out, password.size()));
}

}  // namespace

int NoPassword(char* /*out*/, int /*size*/, int /*writing*/, void* /*user*/) { return 0; }

std::string LastReason() {
  std::string out;
  while (const std::uint32_t code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    out = reason != nullptr ? reason : "unknown";
  }
  return out;
}

WallTime ToWallTime(const ASN1_TIME* time) {
  std::int64_t seconds = 0;
  if (time == nullptr || ASN1_TIME_to_posix(time, &seconds) != 1) return {};
  // Dates beyond what nanoseconds can count (years 1677 to 2262) mean "never"; so does the RFC 5280 value of the year
  // 9999.
  constexpr std::int64_t kLast = 9'000'000'000;
  return WallTime{std::chrono::seconds(std::clamp(seconds, -kLast, kLast))};
}

std::vector<std::string> SansOf(const GENERAL_NAMES* names, int type) {
  std::vector<std::string> out;
  if (names == nullptr) return out;
  for (std::size_t i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != type || (type != GEN_URI && type != GEN_DNS && type != GEN_EMAIL && type != GEN_IPADD)) continue;
    const ASN1_STRING* text = type == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return out;
}

PrivateKey PrivateKey::Generate(KeyType type) {
  auto native = std::make_shared<Native>();
  native->key.reset(EVP_PKEY_new());
  if (type == KeyType::kP256) {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    PLAIT_CHECK(ec && EC_KEY_generate_key(ec.get()) == 1 &&
                EVP_PKEY_assign_EC_KEY(native->key.get(), ec.release()) == 1);
  } else {
    bssl::UniquePtr<RSA> rsa(RSA_new());
    bssl::UniquePtr<BIGNUM> exponent(BN_new());
    PLAIT_CHECK(rsa && exponent && BN_set_word(exponent.get(), RSA_F4) == 1);
    PLAIT_CHECK(RSA_generate_key_ex(rsa.get(), 2048, exponent.get(), nullptr) == 1 &&
                EVP_PKEY_assign_RSA(native->key.get(), rsa.release()) == 1);
  }
  return PrivateKey(std::move(native));
}

Outcome<PrivateKey> PrivateKey::FromPem(std::string_view pem, std::string_view password) {
  const auto bio = ReadBio(pem);
  auto native = std::make_shared<Native>();
  native->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassword, &password));
  if (!native->key && !password.empty())
    return Explain(Errc::kInvalidInput, "not a PEM private key that the password opens: " + LastReason(),
                   "give the password that the key was encrypted with, without an end of line");
  if (!native->key)
    return Explain(Errc::kInvalidInput, "not a PEM private key: " + LastReason(),
                   "give an unencrypted PKCS #8, PKCS #1 or SEC 1 key");
  return PrivateKey(std::move(native));
}

std::string PrivateKey::ToPem() const {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PLAIT_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), native_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Contents(bio.get());
}

bool PrivateKey::Matches(const Certificate& certificate) const {
  const bool matches = X509_check_private_key(certificate.native().x509.get(), native_->key.get()) == 1;
  ERR_clear_error();
  return matches;
}

Outcome<Certificate> Certificate::FromPem(std::string_view pem) {
  const auto bio = ReadBio(pem);
  auto native = std::make_shared<Native>();
  native->x509.reset(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
  if (!native->x509) return Explain(Errc::kInvalidInput, "not a PEM certificate: " + LastReason());
  return Certificate(std::move(native));
}

Outcome<Certificate> Certificate::FromDer(std::string_view der) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(der.data());
  auto native = std::make_shared<Native>();
  native->x509.reset(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!native->x509) return Explain(Errc::kInvalidInput, "not a certificate: " + LastReason());
  return Certificate(std::move(native));
}

std::string Certificate::ToPem() const {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  PLAIT_CHECK(PEM_write_bio_X509(bio.get(), native_->x509.get()) == 1);
  return Contents(bio.get());
}

std::string Certificate::ToDer() const {
  std::uint8_t* der = nullptr;
  const int size = i2d_X509(native_->x509.get(), &der);
  PLAIT_CHECK(size > 0);
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string Certificate::subject() const {
  const bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(native_->x509.get()), 0, XN_FLAG_RFC2253);
  return Contents(bio.get());
}

std::string Certificate::sha256() const { return HexEncode(AsBytes(Sha256(ToDer()))); }

std::string Certificate::serial() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(native_->x509.get());
  return HexEncode({ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))});
}

std::vector<std::string> Certificate::uri_sans() const {
  return SansOf(SubjectAltNames(native_->x509.get()).get(), GEN_URI);
}
std::vector<std::string> Certificate::dns_sans() const {
  return SansOf(SubjectAltNames(native_->x509.get()).get(), GEN_DNS);
}
WallTime Certificate::not_before() const { return ToWallTime(X509_get0_notBefore(native_->x509.get())); }
WallTime Certificate::not_after() const { return ToWallTime(X509_get0_notAfter(native_->x509.get())); }
bool Certificate::is_ca() const { return X509_check_ca(native_->x509.get()) == 1; }

Outcome<std::vector<Certificate>> ReadBundle(std::string_view pem) {
  const auto bio = ReadBio(pem);
  std::vector<Certificate> out;
  for (;;) {
    auto native = std::make_shared<Certificate::Native>();
    native->x509.reset(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
    if (native->x509) {
      out.emplace_back(std::move(native));
      continue;
    }
    const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string reason = LastReason();
    if (!end)
      return Explain(Errc::kInvalidInput,
                     "certificate " + std::to_string(out.size() + 1) + " of the bundle is broken: " + reason);
    if (out.empty()) return Explain(Errc::kInvalidInput, "there is no PEM certificate in it");
    return out;
  }
}

std::string Sha256(std::string_view bytes) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
         reinterpret_cast<std::uint8_t*>(out.data()));
  return out;
}

}  // namespace plait::tls
