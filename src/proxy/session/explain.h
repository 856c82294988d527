#pragma once
// What would become of a connection or request, decided by the same code that serves it (decisions.h, the route tables,
// the filters' Foresee, the clusters' balancers), without a connection. For /plait/explain and `plait-proxy --mode
// explain`. Nothing is counted or changed. One thread.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/http/message.h"
#include "core/io/loop.h"
#include "proxy/cluster/cluster.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/filter/http_filter.h"
#include "proxy/record/response_flags.h"
#include "proxy/session/chain.h"

namespace plait::proxy::session {

struct Question {
  io::SocketAddress destination;  // where the client meant to go, after capture
  io::SocketAddress source;       // of the connection
  std::string principal = {};     // SPIFFE identity that the caller proves; empty: none, plaintext
  std::string own_identity = {};  // of this workload
  std::string server_name = {};   // SNI: of the mesh's TLS where there is a principal, else of TLS of the client's own
  bool tls = false;               // the client begins TLS, with or without `server_name`
  bool assumed_name = false;      // nobody said `server_name`: it is the host that is asked for
  std::string name = {};          // that the client asks DNS for; empty: it dials `destination` itself
  // What DNS says of `name`. kElsewhere: it is none of the mesh, so a resolver elsewhere decides; kNothing: it is one
  // of the mesh's names, and there is no address. Then `destination` has a port only.
  enum class Resolves : std::uint8_t { kHere, kElsewhere, kNothing };
  Resolves resolves = Resolves::kHere;
  bool http = true;
  http::RequestHead head = {};
  filter::UnknownFacts unknown = {};  // what the one who asks cannot say of the caller and of `head`
  std::uint64_t random = 0;           // decides among weighted clusters and hosts
};

// The configuration in force. A host at 0.0.0.0 that has a name: nobody has asked DNS for its address. The outer
// nullopt: it is not here yet (ask for it, then explain again); null: there is none of that name.
class ConfigView {
 public:
  virtual ~ConfigView() = default;
  virtual io::Loop& loop() const = 0;
  virtual const cluster::DestinationIndex& index() const = 0;
  // True: an address that the index does not know is none of the mesh; false: it may be asked for.
  virtual bool complete() const = 0;
  virtual std::optional<std::shared_ptr<const route::RouteTable>> Routes(const std::string& name) const = 0;
  virtual std::optional<std::shared_ptr<const xds::L4Routes>> L4Routes(const std::string& name) const = 0;
  virtual std::optional<cluster::ClusterPtr> Cluster(const std::string& name) const = 0;
};
struct Missing {
  enum class Kind : std::uint8_t { kDestination, kRoutes, kL4Routes, kCluster };
  Kind kind = Kind::kRoutes;
  std::string name;  // kDestination: the address
};

struct ExplainStep {
  std::string name;  // destination, protocol, route, filter, endpoint, tls, admission, authorization, application
  bool passes = true;
  bool known = true;  // false: what decides is not known here; the next steps hold if it passes
  std::string text = {};
  std::string object = {};  // the Istio object that decided, as a config path; empty: the configuration names none
  std::string policy = {};  // the authorization rule that decided, or the invalid policy that made the port STRICT
  std::vector<filter::Forecast::Miss> misses = {};
};

// Where the connection or request goes on to.
struct NextHop {
  std::string cluster;
  io::SocketAddress address;
  std::string workload;  // "reviews-v2-0.default" as the index knows it; empty: not in the mesh
  bool tls = false;
  bool mutual = false;      // with the certificate of this workload; else the server hears of no principal
  std::string identity;     // that the server must prove; empty: the configuration decides, or plaintext
  std::string server_name;  // SNI
  http::RequestHead head;
  // TLS that goes on as it came, inside that of `tls` if there is any.
  struct Passed {
    std::string server_name;
    std::string principal;  // of the mesh's; empty: it is of the client's own
  };
  std::optional<Passed> passed = {};
};

// Where the client meant to go, as the destination index knows it.
struct Destined {
  io::SocketAddress address;  // without an IP when a name has none here
  std::string service;        // hostname
  std::string workload;       // "reviews-v2-0.default"; both empty: not in the mesh
};

struct Explanation {
  std::optional<Destined> destined;  // of a connection that was captured on its way out
  std::vector<ExplainStep> steps;
  std::optional<Missing> missing;  // nothing else is meant then
  // Answered here, not forwarded: 0 when it goes on, and for TCP, where `details` says why it is closed.
  std::uint16_t status = 0;
  std::string flag;     // response flag, short; empty: none
  std::string details;  // RESPONSE_CODE_DETAILS, or CONNECTION_TERMINATION_DETAILS
  std::optional<NextHop> next;
};

Explanation ExplainChain(const ConfigView& config, const Chain& chain, Question question);

}  // namespace plait::proxy::session
