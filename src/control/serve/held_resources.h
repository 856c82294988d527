#pragma once
// Which resources of a type a client holds, and in which version. A stream has one for each type, and a mesh has many
// streams: an entry is a reference to what all of them share. One thread.
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/resource_provider.h"

namespace plait::control::serve {

class HeldResources {
 public:
  std::size_t size() const noexcept { return held_.size(); }
  bool empty() const noexcept { return held_.empty(); }
  // Null: the client does not hold it.
  const xds::WireResource* Find(std::string_view name) const noexcept {
    const auto at = LowerBound(name);
    return at != held_.end() && (*at)->name == name ? at->get() : nullptr;
  }
  bool Contains(std::string_view name) const noexcept { return Find(name) != nullptr; }
  // True: the client held another version of it, or none.
  bool Put(const ResourceRef& resource);
  bool Erase(std::string_view name);
  // All of them at once, sorted by name.
  const std::vector<ResourceRef>& all() const noexcept { return held_; }
  void Assign(std::vector<ResourceRef> sorted) { held_ = std::move(sorted); }
  std::map<std::string, std::string> Versions() const;

 private:
  using At = std::vector<ResourceRef>::const_iterator;
  At LowerBound(std::string_view name) const noexcept {
    return std::ranges::lower_bound(held_, name, std::less<>(), NameOf);
  }
  static std::string_view NameOf(const ResourceRef& resource) noexcept { return resource->name; }

  std::vector<ResourceRef> held_;  // sorted by name
};

}  // namespace plait::control::serve
