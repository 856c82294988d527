#pragma once
// Where the ADS server gets resources from: the translated model. One thread.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/proxy.h"
#include "core/xds/discovery.h"

namespace plait::control::serve {

// Shared by all proxies that get the same. `version` is made from the content: equal content has an equal version, on
// every replica and after a restart.
using ResourceRef = std::shared_ptr<const xds::WireResource>;

class ResourceProvider {
 public:
  virtual ~ResourceProvider() = default;
  // Names the configuration of now among others, for people: system_version_info and `plait ps`.
  virtual const std::string& version() const noexcept = 0;
  // All resources of a type that a wildcard subscription of this proxy gets.
  virtual std::vector<ResourceRef> All(const Proxy& proxy, std::string_view type_url) = 0;
  // The resource that answers for `name` (its name or one of its aliases); null: there is none, or it may not be seen.
  virtual ResourceRef Find(const Proxy& proxy, std::string_view type_url, std::string_view name) = 0;
  // A type that nobody serves is refused, not left unanswered.
  virtual bool Serves(std::string_view type_url) const = 0;
};

}  // namespace plait::control::serve
