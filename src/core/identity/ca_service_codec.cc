#include "core/identity/ca_service_codec.h"

#include "security/v1alpha1/ca.pb.h"

namespace plait::identity {

std::string EncodeCertificateRequest(const CertificateRequest& request) {
  istio::v1::auth::IstioCertificateRequest message;
  message.set_csr(request.csr_pem);
  message.set_validity_duration(std::chrono::duration_cast<std::chrono::seconds>(request.ttl).count());
  return message.SerializeAsString();
}

Result<CertificateRequest> DecodeCertificateRequest(std::string_view bytes) {
  istio::v1::auth::IstioCertificateRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Fail(Errc::kInvalidInput, "not an IstioCertificateRequest");
  // Longer than any certificate may live; keeps the nanoseconds in range.
  constexpr std::int64_t kMaxSeconds = 100LL * 365 * 24 * 3600;
  if (message.validity_duration() < 0 || message.validity_duration() > kMaxSeconds)
    return Fail(Errc::kInvalidInput, "validity_duration is out of range");
  return CertificateRequest{.csr_pem = message.csr(), .ttl = std::chrono::seconds(message.validity_duration())};
}

std::string EncodeCertificateResponse(const std::vector<std::string>& cert_chain) {
  istio::v1::auth::IstioCertificateResponse message;
  for (const std::string& pem : cert_chain) message.add_cert_chain(pem);
  return message.SerializeAsString();
}

Result<std::vector<std::string>> DecodeCertificateResponse(std::string_view bytes) {
  istio::v1::auth::IstioCertificateResponse message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Fail(Errc::kInvalidInput, "not an IstioCertificateResponse");
  return std::vector<std::string>(message.cert_chain().begin(), message.cert_chain().end());
}

}  // namespace plait::identity
