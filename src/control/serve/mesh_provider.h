#pragma once
// Resources out of a snapshot: translated when somebody asks, encoded once, kept as long as the snapshot. Proxies that
// get the same share it: the index is one for the mesh; clusters, endpoints and routes are one for all proxies with the
// same namespace, account and labels; listeners and secrets are each proxy's own. One thread.
#include <functional>
#include <string>
#include <unordered_map>

#include "control/model/snapshot.h"
#include "control/serve/resource_provider.h"
#include "core/base/strings.h"

namespace plait::control::serve {

class MeshProvider final : public ResourceProvider {
 public:
  explicit MeshProvider(std::string roots_pem) : roots_pem_(std::move(roots_pem)) {}

  void SetSnapshot(model::SnapshotRef snapshot);
  const model::SnapshotRef& snapshot() const noexcept { return snapshot_; }  // null before the first

  const std::string& version() const noexcept override { return version_; }
  std::vector<ResourceRef> All(const Proxy& proxy, std::string_view type_url) override;
  ResourceRef Find(const Proxy& proxy, std::string_view type_url, std::string_view name) override;
  bool Serves(std::string_view type_url) const override;

 private:
  std::vector<ResourceRef> Listeners(const model::Proxy& proxy);
  std::vector<ResourceRef> Addresses();
  ResourceRef Make(const model::Proxy& proxy, std::string_view type_url, std::string_view name) const;

  std::string roots_pem_;
  model::SnapshotRef snapshot_;
  std::string version_ = "0";
  std::uint64_t count_ = 0;
  std::unordered_map<std::string, ResourceRef, StringHash, std::equal_to<>> cache_;  // null: known not to exist
};

// As the translators know a proxy.
model::Proxy ModelProxy(const Proxy& proxy);

}  // namespace plait::control::serve
