#pragma once
// Asks the control plane (istio.v1.auth.IstioCertificateService) for certificates, a connection a request: it happens
// about once a day, and each time with the newest token or certificate. Where TLS refuses the certificate, because its
// root or trust domain is the authority's no more, the token speaks for the workload again: otherwise it would be
// locked out for ever. One loop thread.
#include <cstdint>
#include <functional>
#include <memory>

#include "core/grpc/client.h"
#include "core/identity/workload_certificate.h"

namespace plait::identity {

class GrpcCaClient final : public CaClient {
 public:
  struct Connection {
    std::unique_ptr<io::Stream> stream;  // TLS to the CA; opening is enough
    std::string authority;
    std::string authorization;     // "Bearer <token>", or empty when the stream has a client certificate
    bool has_alternative = false;  // it has one, and Proof::kToken is another way
  };
  enum class Proof : std::uint8_t { kNewest, kToken };
  using Connect = std::function<Outcome<Connection>(Proof)>;
  GrpcCaClient(io::Loop& loop, Connect connect, Duration timeout = std::chrono::seconds(10));

  [[nodiscard]] Pending Sign(std::string csr_pem, Duration ttl,
                             std::move_only_function<void(Outcome<Signed>)> done) override;

 private:
  io::Loop& loop_;
  Connect connect_;
  Duration timeout_;
};

}  // namespace plait::identity
