#pragma once
// TLS towards upstream hosts: upstream::TlsContexts over the process's secrets. Stateless; any thread.
#include "proxy/upstream/transport.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

class UpstreamTls final : public upstream::TlsContexts {
 public:
  explicit UpstreamTls(Secrets& secrets) : secrets_(secrets) {}
  Result<upstream::Secure> SecureFor(const std::shared_ptr<const xds::Cluster>& cluster,
                                     const Request& request) override;
  Judge JudgeFor(const cluster::Cluster& cluster, const cluster::Host& host) override;

 private:
  Secrets& secrets_;
};

}  // namespace plait::proxy::worker
