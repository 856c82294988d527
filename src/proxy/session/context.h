#pragma once
// What the sessions of one worker share: its loop, its view of the configuration, its pools and recorder, and the way
// to ask the main thread for what the view lacks. Owned by the worker, outlives every session, used on its thread only.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/pending.h"
#include "core/base/random.h"
#include "core/base/strings.h"
#include "core/io/loop.h"
#include "core/xds/plait_forms.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/record/recorder.h"
#include "proxy/route/route_table.h"
#include "proxy/session/learned.h"
#include "proxy/upstream/pools.h"

namespace plait::tls {
class Context;
}
namespace plait::proxy::session {

class Orphans;

template <class T>
using ByName = std::unordered_map<std::string, std::shared_ptr<const T>, StringHash, std::equal_to<>>;

// Resources that are there by name: the worker's copy. A name with a null value is known not to exist.
struct Tables {
  ByName<route::RouteTable> routes;  // RDS
  ByName<xds::L4Routes> l4_routes;   // by original port in decimal
};

// Asks the main thread to get a resource and wait for it. Completions run in a later round on the worker's loop: true
// when it is in the worker's tables now, false when it does not exist or `limit` passed.
class OnDemand {
 public:
  using OnReady = std::move_only_function<void(bool)>;
  virtual ~OnDemand() = default;
  [[nodiscard]] virtual Pending NeedCluster(std::string name, Duration limit, OnReady ready) = 0;
  [[nodiscard]] virtual Pending NeedRoutes(std::string name, Duration limit, OnReady ready) = 0;
  [[nodiscard]] virtual Pending NeedL4Routes(std::string name, Duration limit, OnReady ready) = 0;
  [[nodiscard]] virtual Pending NeedDestination(const io::IpAddress& ip, Duration limit,
                                                cluster::DestinationStore::OnFound found) = 0;
};

// Server contexts for the sessions that decide by themselves whether TLS is terminated (Inbound). Errors say what is
// missing.
class DownstreamTls {
 public:
  virtual ~DownstreamTls() = default;
  virtual Outcome<std::shared_ptr<const tls::Context>> Server(const xds::DownstreamTlsContext& config) = 0;
};

struct Context {
  io::Loop& loop;
  Random& random;
  cluster::ClusterSet& clusters;
  const cluster::DestinationIndex& index;
  const Tables& tables;
  upstream::Pools& pools;
  record::Recorder& recorder;
  OnDemand& on_demand;
  Orphans& orphans;
  DownstreamTls& downstream_tls;
  LearnedDestinations learned{};
  bool static_only = false;  // there is no xDS: what is not there does not exist
  // How long a request waits for a cluster, route configuration or endpoint that is on its way (semantics.md 6).
  Duration warming_limit = std::chrono::seconds(15);
  // How long requests may run when the root of their client's certificate has gone.
  Duration drain_time = std::chrono::seconds(45);
  std::uint64_t next_connection_id = 1;
  bool draining = false;       // set once the process drains; sessions ask it when they begin something
  bool health_failed = false;  // /healthcheck/fail: each answer ends its connection
  bool gateway = false;        // a router~ node
};

}  // namespace plait::proxy::session
