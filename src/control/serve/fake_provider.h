#pragma once
// A ResourceProvider for tests: resources by type and name, the same for every proxy, changed in place.
#include <map>

#include "control/serve/resource_provider.h"

namespace plait::control::serve {

class FakeProvider final : public ResourceProvider {
 public:
  void Set(std::string_view type_url, std::string name, std::string version, std::vector<std::string> aliases = {},
           std::string bytes = {}) {
    resources_[std::string(type_url)][name] = std::make_shared<xds::WireResource>(xds::WireResource{
        .name = name, .version = std::move(version), .aliases = std::move(aliases), .bytes = std::move(bytes)});
  }
  void Remove(std::string_view type_url, const std::string& name) { resources_[std::string(type_url)].erase(name); }
  void SetVersion(std::string version) { version_ = std::move(version); }

  const std::string& version() const noexcept override { return version_; }
  bool Serves(std::string_view type_url) const override { return type_url.starts_with("type.googleapis.com/"); }
  std::vector<ResourceRef> All(const Proxy&, std::string_view type_url) override {
    std::vector<ResourceRef> all;
    if (const auto type = resources_.find(type_url); type != resources_.end())
      for (const auto& [name, resource] : type->second) all.push_back(resource);
    return all;
  }
  ResourceRef Find(const Proxy&, std::string_view type_url, std::string_view name) override {
    const auto type = resources_.find(type_url);
    if (type == resources_.end()) return nullptr;
    for (const auto& [primary, resource] : type->second) {
      if (primary == name) return resource;
      for (const std::string& alias : resource->aliases)
        if (alias == name) return resource;
    }
    return nullptr;
  }

 private:
  std::string version_ = "v1";
  std::map<std::string, std::map<std::string, ResourceRef>, std::less<>> resources_;
};

}  // namespace plait::control::serve
