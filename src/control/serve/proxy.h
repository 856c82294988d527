#pragma once
// A proxy as the control plane knows it: what its xDS node says of it, held against whom it was authenticated as
// (semantics.md 4). Mirrors Istio's node id "sidecar~<ip>~<pod>.<ns>~<ns>.svc.<domain>" and its metadata.
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/grpc/status.h"
#include "core/identity/spiffe_id.h"
#include "core/io/address.h"
#include "core/xds/bootstrap.h"

namespace plait::control::serve {

struct Proxy {
  enum class Kind : std::uint8_t { kSidecar, kRouter };
  Kind kind = Kind::kSidecar;
  xds::Node node = {};    // what the proxy says of itself
  std::string name = {};  // of the pod
  std::string name_space = {};
  std::string service_account = {};
  std::string dns_domain = {};          // "<ns>.svc.cluster.local"
  std::vector<io::IpAddress> ips = {};  // of the id first, then INSTANCE_IPS
  std::string cluster_id = {};
  std::string network = {};
  std::string version = {};  // ISTIO_VERSION
  bool plait_form = false;   // a plait-proxy: understands api/plait/proxy/v1
  // Of other programs: SO_MARK of connections to the own application, from PLAIT_APPLICATION_MARK; 0: none is needed.
  std::uint32_t application_mark = 0;
  identity::SpiffeId identity = {};  // as authenticated: it alone decides what the proxy may see

  std::string Key() const { return name + "." + name_space; }  // how people and debug endpoints name it
  friend bool operator==(const Proxy&, const Proxy&) = default;
};
std::string_view KindName(Proxy::Kind kind) noexcept;  // "sidecar", "router"

// Errors: INVALID_ARGUMENT for a node that cannot be read, PERMISSION_DENIED for one that claims another namespace or
// service account than `authenticated` has. A claim that is absent is refused, too.
std::expected<Proxy, grpc::Status> ReadProxy(const xds::Node& node, const identity::SpiffeId& authenticated);

// What a client said, as people are shown it: `most` bytes of it, and "..." where there are more.
std::string Cut(std::string_view text, std::size_t most);
inline constexpr std::size_t kMostShown = 256;  // bytes of a name within a sentence

}  // namespace plait::control::serve
