#pragma once
// The HTTP connection pools of one worker: made when first needed, drained when their host or configuration goes.
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/io/loop.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/upstream/http_pool.h"
#include "proxy/upstream/transport.h"

namespace plait::proxy::upstream {

class Pools {
 public:
  // `contexts` and `connector` outlive the pools.
  Pools(io::Loop& loop, TlsContexts& contexts, Connector& connector)
      : loop_(loop), contexts_(contexts), connector_(connector) {}

  // The pool for a host; made when there is none. `server_name`: ServerNameOf the request. Errors: TLS that is not
  // ready (kUnavailable). Valid until the next round. O(1); O(pools) when it makes one.
  Result<HttpPool*> For(const cluster::ClusterPtr& cluster, const cluster::HostPtr& host, Application application,
                        xds::RoutingPriority priority, std::string_view server_name);
  // The host left its cluster, or the cluster went: running requests end, nothing new begins. O(pools).
  void DrainHost(const cluster::Host& host);
  // Secrets have changed: connections that would not be made again as they are end after their requests.
  void JudgeAgain();
  TlsContexts& contexts() noexcept { return contexts_; }
  Connector& connector() noexcept { return connector_; }

 private:
  struct Key {
    const cluster::Host* host;
    const xds::Cluster* config;
    Application application;
    xds::RoutingPriority priority;
    std::string sni;  // only where it follows the request's authority
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };

  // Those of which this holds take nothing more, and go when they are empty.
  template <class Gone>
  void RetireIf(Gone gone);
  void Retire(std::unique_ptr<HttpPool> pool);

  io::Loop& loop_;
  TlsContexts& contexts_;
  Connector& connector_;
  std::unordered_map<Key, std::unique_ptr<HttpPool>, KeyHash> pools_;
  std::vector<std::unique_ptr<HttpPool>> draining_;
};

}  // namespace plait::proxy::upstream
