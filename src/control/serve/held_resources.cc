#include "control/serve/held_resources.h"

#include <utility>

namespace plait::control::serve {

bool HeldResources::Put(const ResourceRef& resource) {
  const auto at = held_.begin() + (LowerBound(resource->name) - held_.cbegin());
  if (at == held_.end() || (*at)->name != resource->name) {
    held_.insert(at, resource);
    return true;
  }
  const bool other = (*at)->version != resource->version;
  *at = resource;
  return other;
}

bool HeldResources::Erase(std::string_view name) {
  const auto at = LowerBound(name);
  if (at == held_.end() || (*at)->name != name) return false;
  held_.erase(at);
  return true;
}

std::map<std::string, std::string> HeldResources::Versions() const {
  std::map<std::string, std::string> out;
  for (const ResourceRef& resource : held_) out.emplace_hint(out.end(), resource->name, resource->version);
  return out;
}

}  // namespace plait::control::serve
