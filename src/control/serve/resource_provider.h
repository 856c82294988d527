#pragma once
// Where the ADS server gets resources from: the translated model. One thread.
#include <optional>
#include <string_view>
#include <vector>

#include "core/identity/spiffe_id.h"
#include "core/xds/discovery.h"

namespace plait::control::serve {

// Who asks: what the proxy says of itself, and who it was authenticated as. Only the latter decides what it may see.
struct Proxy {
  xds::Node node;
  identity::SpiffeId identity;
};

class ResourceProvider {
 public:
  virtual ~ResourceProvider() = default;
  // All resources of a type that a wildcard subscription of this proxy gets. Equal content has an equal version, on every
  // replica and after a restart.
  virtual std::vector<xds::WireResource> All(const Proxy& proxy, std::string_view type_url) = 0;
  // The resource that answers for `name` (its name or one of its aliases); nullopt: there is none, or it may not be seen.
  virtual std::optional<xds::WireResource> Find(const Proxy& proxy, std::string_view type_url, std::string_view name) = 0;
  // A type that nobody serves is refused, not left unanswered.
  virtual bool Serves(std::string_view type_url) const = 0;
};

}  // namespace plait::control::serve
