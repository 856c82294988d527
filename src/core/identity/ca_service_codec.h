#pragma once
// Messages of istio.v1.auth.IstioCertificateService (security/v1alpha1/ca.proto) as plain values.
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace plait::identity {

inline constexpr const char* kCreateCertificate = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

struct CertificateRequest {
  std::string csr_pem;
  Duration ttl{};  // whole seconds
};
std::string EncodeCertificateRequest(const CertificateRequest& request);
Result<CertificateRequest> DecodeCertificateRequest(std::string_view bytes);

// The chain, leaf first; the last element holds the roots (Istio's convention).
std::string EncodeCertificateResponse(const std::vector<std::string>& cert_chain);
Result<std::vector<std::string>> DecodeCertificateResponse(std::string_view bytes);

}  // namespace plait::identity
