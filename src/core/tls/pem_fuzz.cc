// Readers of PEM under arbitrary bytes: keys, certificate bundles, signing requests, revocation lists. The first byte
// chooses the reader. Checked: what was accepted survives being written out and read again; no list among others is
// left out; a peer whose authority has not signed any of the lists is not let in.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/tls/certificate.h"
#include "core/tls/test_pki.h"
#include "core/tls/verify.h"

namespace {

using namespace plait;

void Key(std::string_view pem) {
  const Outcome<tls::PrivateKey> key = tls::PrivateKey::FromPem(pem);
  if (key) PLAIT_CHECK(tls::PrivateKey::FromPem(key->ToPem()).has_value());
}

void Bundle(std::string_view pem) {
  const Outcome<std::vector<tls::Certificate>> bundle = tls::ReadBundle(pem);
  if (!bundle) return;
  for (const tls::Certificate& certificate : *bundle) {
    PLAIT_CHECK(!certificate.sha256().empty());
    (void)certificate.subject();
    (void)certificate.serial();
    (void)certificate.uri_sans();
    (void)certificate.dns_sans();
    (void)certificate.not_before();
    (void)certificate.not_after();
    (void)certificate.is_ca();
    const Outcome<tls::Certificate> again = tls::Certificate::FromPem(certificate.ToPem());
    PLAIT_CHECK(again && again->ToDer() == certificate.ToDer());
  }
}

void Request(std::string_view pem) {
  const Outcome<tls::Csr> request = tls::ReadCsr(pem);
  if (request) PLAIT_CHECK(request->native != nullptr);
}

bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> ChainOf(const std::string& pem) {
  const std::string der = tls::Certificate::FromPem(pem)->ToDer();
  bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> chain(sk_CRYPTO_BUFFER_new_null());
  bssl::UniquePtr<CRYPTO_BUFFER> leaf(
      CRYPTO_BUFFER_new(reinterpret_cast<const std::uint8_t*>(der.data()), der.size(), nullptr));
  PLAIT_CHECK(bssl::PushToStack(chain.get(), std::move(leaf)));
  return chain;
}

void Revocation(std::string_view pem) {
  static const tls::TestCa ca;  // a key of its own in each run: no input is signed by it
  static const bssl::UniquePtr<STACK_OF(CRYPTO_BUFFER)> chain = ChainOf(ca.Issue("spiffe://a/ns/b/sa/c").chain_pem);
  if (pem.empty()) return;  // no list is wanted then
  tls::ContextOptions options;
  options.bundle_pem = ca.root_pem();
  options.crl_pem = pem;
  const auto verifier = tls::Verifier::Make(options);
  if (!verifier) {
    PLAIT_CHECK(verifier.error().message.starts_with("revocation list"));
    return;
  }
  const std::string nobody;
  PLAIT_CHECK(!(*verifier)->Judge(chain.get(), {nobody, nobody}, SystemClock().Wall()));
  options.crl_pem += '\n' + std::string(pem);
  PLAIT_CHECK(tls::Verifier::Make(options).has_value());
  options.crl_pem += "\n-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
  PLAIT_CHECK(!tls::Verifier::Make(options));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view pem(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'K': Key(pem); break;
    case 'B': Bundle(pem); break;
    case 'R': Request(pem); break;
    case 'L': Revocation(pem); break;
    default: break;
  }
  return 0;
}
