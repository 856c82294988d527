#pragma once
// istio.v1.auth.IstioCertificateService on the control plane's gRPC server.
#include <cstdint>

#include "control/ca/authenticate.h"
#include "control/ca/authority.h"
#include "core/grpc/server.h"

namespace plait::control::ca {

// Counts for /metrics (citadel_server_*).
struct CaCounts {
  std::uint64_t requests = 0;  // citadel_server_csr_count
  std::uint64_t issued = 0;    // citadel_server_success_cert_issuance_count
  std::uint64_t authentication_failures = 0;
  std::uint64_t csr_failures = 0;  // unreadable or unsigned requests
};

// Adds CreateCertificate to `server`. All references outlive it.
void AddCertificateService(grpc::Server& server, const Authority& authority, const TokenTable& tokens,
                           CaCounts& counts);

}  // namespace plait::control::ca
