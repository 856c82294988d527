#pragma once
// SDS for the Envoy beside this process (semantics.md 10): the process's own secrets, `default` and `ROOTCA`, over a
// Unix socket that only its own user may open. Mirrors envoy.service.secret.v3.SecretDiscoveryService.StreamSecrets,
// state of the world, as Istio's agent serves it. Main thread.
#include <memory>
#include <string>
#include <vector>

#include "core/conn/http_server.h"
#include "core/grpc/server.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

inline constexpr const char* kStreamSecretsMethod = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";

class SdsServer {
 public:
  // `secrets` outlives it.
  SdsServer(io::Loop& loop, const Secrets& secrets);
  ~SdsServer();
  SdsServer(const SdsServer&) = delete;
  SdsServer& operator=(const SdsServer&) = delete;

  // Replaces what is at `path`: a socket that a process before this one left. Errors: the path is too long, or its
  // folder may not be written.
  Outcome<> Listen(const std::string& path);
  // Some secret is new: who asked for it gets it. What has not changed is not sent again.
  void SecretsChanged();

 private:
  class Stream;

  const Secrets& secrets_;
  std::vector<Stream*> streams_;
  grpc::Server grpc_;
  std::unique_ptr<conn::HttpServer> http_;
};

}  // namespace plait::proxy::worker
