#include "control/serve/subscription.h"

namespace plait::control::serve {

void Subscription::Apply(const xds::DeltaRequest& request) {
  // An answer to anything but the last response is late and says nothing about it; its names count all the same.
  if (!request.response_nonce.empty() && request.response_nonce == nonce_) {
    nonce_.clear();
    last_error_ = request.error.value_or("");
    if (request.error) ++rejections_;
  }
  const bool first = !begun_;
  begun_ = true;
  if (first) {
    held_.insert(request.initial_versions.begin(), request.initial_versions.end());
    // Incremental xDS: an empty first request of a type is a wildcard, explicit names are not.
    if (request.subscribe.empty()) wildcard_ = true;
  }
  for (const std::string& name : request.subscribe) {
    if (name == "*") {
      wildcard_ = true;
      continue;
    }
    // Asked for again: answered again, for a client may have forgotten what it unsubscribed.
    if (!names_.insert(name).second) held_.erase(name);
    told_absent_.erase(name);
  }
  for (const std::string& name : request.unsubscribe) {
    if (name == "*") wildcard_ = false;
    names_.erase(name);
    told_absent_.erase(name);
    if (!wildcard_) held_.erase(name);
  }
}

void Subscription::Offer(xds::WireResource resource, xds::DeltaResponse& out, std::set<std::string, std::less<>>& present) {
  if (!present.insert(resource.name).second) return;
  const auto held = held_.find(resource.name);
  if (held != held_.end() && held->second == resource.version) return;
  held_[resource.name] = resource.version;
  out.resources.push_back(std::move(resource));
}

void Subscription::AddWildcard(const Proxy& proxy, ResourceProvider& provider, xds::DeltaResponse& out, std::set<std::string, std::less<>>& present) {
  for (xds::WireResource& resource : provider.All(proxy, type_url_)) Offer(std::move(resource), out, present);
}

void Subscription::AddNamed(const Proxy& proxy, ResourceProvider& provider, xds::DeltaResponse& out, std::set<std::string, std::less<>>& present) {
  for (const std::string& name : names_) {
    if (present.contains(name)) continue;
    auto resource = provider.Find(proxy, type_url_, name);
    if (resource) {
      told_absent_.erase(name);
      Offer(std::move(*resource), out, present);
    } else if (!held_.contains(name) && told_absent_.insert(name).second) {
      out.removed.push_back(name);
    } else if (held_.contains(name)) {
      told_absent_.insert(name);  // the sweep below tells it
    }
  }
}

std::optional<xds::DeltaResponse> Subscription::Next(const Proxy& proxy, ResourceProvider& provider) {
  if (!begun_ || awaiting_answer()) return std::nullopt;
  xds::DeltaResponse out;
  out.type_url = type_url_;
  std::set<std::string, std::less<>> present;
  if (wildcard_) AddWildcard(proxy, provider, out, present);
  AddNamed(proxy, provider, out, present);
  for (auto at = held_.begin(); at != held_.end();) {
    if (present.contains(at->first)) {
      ++at;
      continue;
    }
    out.removed.push_back(at->first);
    at = held_.erase(at);
  }
  if (out.resources.empty() && out.removed.empty() && answered_once_) return std::nullopt;
  answered_once_ = true;
  ++sent_;
  resources_sent_ += out.resources.size();
  nonce_ = std::to_string(sent_);
  out.nonce = nonce_;
  return out;
}

}  // namespace plait::control::serve
