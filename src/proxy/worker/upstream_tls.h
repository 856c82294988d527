#pragma once
// TLS towards upstream hosts: upstream::TlsContexts over the process's secrets. Without a state of its own; any thread.
#include "proxy/upstream/transport.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

class UpstreamTls final : public upstream::TlsContexts {
 public:
  // `drain_time`: what requests have that run when the root of their server goes.
  UpstreamTls(Secrets& secrets, Duration drain_time) : secrets_(secrets), drain_time_(drain_time) {}
  Result<upstream::Secure> SecureFor(const std::shared_ptr<const xds::Cluster>& cluster,
                                     const Request& request) override;
  Judge JudgeFor(const cluster::Cluster& cluster, const cluster::Host& host) override;

 private:
  Secrets& secrets_;
  const Duration drain_time_;
};

}  // namespace plait::proxy::worker
