// Readers of PEM under arbitrary bytes: keys, certificate bundles, signing requests. The first byte chooses the reader.
// Checked: nothing crashes, and what was accepted survives being written out and read again.
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "core/tls/certificate.h"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view pem(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'K': Key(pem); break;
    case 'B': Bundle(pem); break;
    case 'R': Request(pem); break;
    default: break;
  }
  return 0;
}
