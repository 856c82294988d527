#pragma once
// The server of 15012: gRPC over TLS with a certificate that the mesh's own authority issues and renews. Carries ADS,
// IstioCertificateService, health and reflection. Callers show a certificate of the mesh, or a token in their calls;
// who shows neither is refused by the service that he calls. One loop thread.
#include <memory>
#include <string>
#include <vector>

#include "control/ca/authority.h"
#include "control/ca/service.h"
#include "core/conn/http_server.h"
#include "core/grpc/server.h"
#include "core/io/wall_timer.h"

namespace plait::control::serve {

struct SecureServerOptions {
  // What clients verify: Plait's name and Istio's, so that a proxy that was told either finds us.
  std::vector<std::string> dns_names = {
      "plaitd.plait-system.svc", "plaitd.plait-system.svc.cluster.local", "plaitd",
      "istiod.istio-system.svc", "istiod.istio-system.svc.cluster.local", "localhost"};
  std::string name_space = "plait-system";  // of the own identity
  std::string service_account = "plaitd";
  Duration certificate_ttl = std::chrono::hours(24);
  std::vector<std::string> trust_domain_aliases = {};
};

class SecureServer {
 public:
  SecureServer(io::Loop& loop, const ca::Authority& authority, SecureServerOptions options);
  ~SecureServer();

  grpc::Server& grpc() noexcept { return grpc_; }  // services are registered before Listen
  // Issues the first certificate and accepts on `address`; several may be added. The address that was bound.
  Outcome<io::SocketAddress> Listen(const io::SocketAddress& address);
  // Accepts on a socket that was inherited.
  Outcome<> Adopt(io::UniqueFd listener);
  // A new certificate now; connections keep theirs.
  Outcome<> Renew();
  // Takes no more calls; ends when the running ones have ended.
  void Drain(std::move_only_function<void()> done) { http_.Drain(std::move(done)); }

 private:
  std::unique_ptr<io::Stream> Accept(io::UniqueFd socket);
  Outcome<> RenewOnce();

  io::Loop& loop_;
  const ca::Authority& authority_;
  const SecureServerOptions options_;
  std::shared_ptr<const tls::Context> context_;
  io::WallTimer renewal_;
  grpc::Server grpc_;
  conn::HttpServer http_;  // after grpc_: its streams end first
};

}  // namespace plait::control::serve
