// Messages of the certificate service and SPIFFE IDs under arbitrary bytes; the first byte chooses the reader. Checked:
// what was read survives being written and read again, and an ID has one way to be written.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/identity/ca_service_codec.h"
#include "core/identity/spiffe_id.h"

namespace {
using namespace plait;

void Request(std::string_view bytes) {
  const auto request = identity::DecodeCertificateRequest(bytes);
  if (!request) return;
  const auto again = identity::DecodeCertificateRequest(identity::EncodeCertificateRequest(*request));
  PLAIT_CHECK(again && again->csr_pem == request->csr_pem && again->ttl == request->ttl);
}

void Answer(std::string_view bytes) {
  const auto chain = identity::DecodeCertificateResponse(bytes);
  if (chain) PLAIT_CHECK(identity::DecodeCertificateResponse(identity::EncodeCertificateResponse(*chain)) == *chain);
}

void Id(std::string_view text) {
  const auto id = identity::SpiffeId::Parse(text);
  if (id) PLAIT_CHECK(id->ToString() == text);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'Q': Request(bytes); break;
    case 'A': Answer(bytes); break;
    case 'I': Id(bytes); break;
    default: break;
  }
  return 0;
}
