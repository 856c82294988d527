#pragma once
// Resources out of a snapshot: translated when somebody asks, encoded once, kept as long as no change touches them.
// Proxies that get the same share it: the index is one for the mesh; clusters, endpoints and routes are one for all
// proxies of a namespace whose labels no rule tells apart, and that stand in one locality where that decides
// (translate/localities.h); listeners and secrets are each proxy's own. One thread.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "control/model/snapshot.h"
#include "control/serve/difference.h"
#include "control/serve/resource_provider.h"
#include "core/base/strings.h"

namespace plait::control::serve {

class MeshProvider final : public ResourceProvider {
 public:
  explicit MeshProvider(std::string roots_pem) : roots_pem_(std::move(roots_pem)) {}

  // Others are trusted from now on.
  Difference SetRoots(std::string roots_pem);
  // What may differ from the snapshot before.
  Difference SetSnapshot(model::SnapshotRef snapshot);
  const model::SnapshotRef& snapshot() const noexcept { return snapshot_; }  // null before the first

  const std::string& version() const noexcept override { return version_; }
  std::vector<ResourceRef> All(const Proxy& proxy, std::string_view type_url) override;
  ResourceRef Find(const Proxy& proxy, std::string_view type_url, std::string_view name) override;
  bool Serves(std::string_view type_url) const override;

 private:
  std::vector<ResourceRef> Listeners(const model::Proxy& proxy);
  const std::map<std::string, ResourceRef>& Addresses();
  ResourceRef FindAddress(std::string_view key);
  std::string ShareKey(const model::Proxy& proxy, std::string_view type_url, std::string_view name) const;
  std::string PlaceKey(const Proxy& proxy, model::Proxy& who, std::string_view type_url, std::string_view name);
  void Forget(const Difference& difference);
  void UpdateAddresses(Difference& difference);
  ResourceRef Make(const model::Proxy& proxy, std::string_view type_url, std::string_view name) const;

  std::string roots_pem_;
  model::SnapshotRef snapshot_;
  std::string version_ = "0";
  std::uint64_t count_ = 0;
  std::set<std::string, std::less<>> source_labels_;  // of clients, that some rule asks for
  std::unordered_set<std::string, StringHash, std::equal_to<>>
      placed_hosts_;  // it may matter where their clients stand
  struct Place {
    std::string locality;
    std::string node;
  };
  std::unordered_map<std::string, Place> places_;  // of clients of them, by namespace/name
  // By type, then by who shares it and name. Null: known not to exist.
  using Cache = std::unordered_map<std::string, ResourceRef, StringHash, std::equal_to<>>;
  std::map<std::string, Cache, std::less<>> caches_;
  std::optional<std::map<std::string, ResourceRef>> addresses_;  // the whole index, once somebody asked
};

// As the translators know a proxy.
model::Proxy ModelProxy(const Proxy& proxy);

}  // namespace plait::control::serve
