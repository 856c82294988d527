#pragma once
// The host names of one STRICT_DNS or LOGICAL_DNS cluster. Each is asked for by itself, and again when its time has
// come: after an answer with addresses their TTL (respect_dns_ttl) or dns_refresh_rate, and a part of dns_jitter; else
// dns_failure_refresh_rate. Owned by the store's entry, main thread. Mirrors the resolve targets of Envoy's DNS
// clusters.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/random.h"
#include "core/io/loop.h"
#include "core/io/timer.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/cluster_set.h"

namespace plait::proxy::cluster {

class DnsNames {
 public:
  using Addresses = std::vector<io::IpAddress>;
  struct Options {
    std::shared_ptr<const xds::Cluster> config;
    std::shared_ptr<ClusterState> state;  // update_attempt, _success, _failure, _no_rebuild
    // Runs when each name was answered once, and from then on when the addresses of one have changed. May destroy this.
    std::function<void()> changed;
  };

  // Asks for all names at once. Names keep the addresses that `before` (may be null) knows until they are answered.
  DnsNames(io::Loop& loop, NameResolver& resolver, Random& random, Options options, const DnsNames* before);
  DnsNames(const DnsNames&) = delete;
  DnsNames& operator=(const DnsNames&) = delete;

  // Sorted (STRICT_DNS) or as the resolver gave them (LOGICAL_DNS); null: not a name of this cluster.
  const Addresses* Find(std::string_view name) const;
  bool empty() const noexcept { return names_.empty(); }

 private:
  // Never moves: timers and callbacks hold its address.
  struct Name {
    Addresses addresses;
    bool answered = false;  // whatever the answer was
    Duration reach{0};      // the most that the last pause after a failure could be; 0 after a success
    Pending lookup;
    io::Timer again;
  };
  void Ask(const std::string& text, Name& name);
  void Took(Name& name, Result<NameResolver::Answer> answer);
  Duration PauseAfter(Name& name, const Result<NameResolver::Answer>& answer);
  Duration PauseAfterFailure(Name& name);

  io::Loop& loop_;
  NameResolver& resolver_;
  Random& random_;
  const Options options_;
  std::map<std::string, Name, std::less<>> names_;
  std::size_t unanswered_ = 0;
};

}  // namespace plait::proxy::cluster
