#include "core/xds/delta_client.h"

#include <utility>

namespace plait::xds {
namespace {

Rejection OfAnotherType(const std::string& name, const std::string& type, const std::string& response) {
  return {name, name + ": it is of type '" + type + "' in a response of " + response};
}
Rejection WithoutContent(const std::string& name, const std::string& version) {
  return {name, name + ": it has no content, and version '" + version + "' is not the one held"};
}

}  // namespace

DeltaClient::Type& DeltaClient::TypeOf(std::string_view url) {
  const auto at = types_.find(url);
  if (at != types_.end()) return at->second;
  order_.emplace_back(url);
  return types_[std::string(url)];
}

void DeltaClient::SubscribeAll(std::string_view type_url) { TypeOf(type_url).wildcard = true; }
void DeltaClient::Subscribe(std::string_view type_url, std::string_view name) {
  Type& type = TypeOf(type_url);
  if (!type.wanted.emplace(name).second) return;
  // Of a name that was given up since the last request the server must hear again, or it does not answer.
  type.sent.erase(std::string(name));
}

void DeltaClient::Unsubscribe(std::string_view type_url, std::string_view name) {
  Type& type = TypeOf(type_url);
  if (const auto at = type.wanted.find(name); at != type.wanted.end()) type.wanted.erase(at);
  // With a wildcard the resource may still be ours; without one the server will not mention it again.
  if (type.wildcard) return;
  type.held.erase(std::string(name));
  type.ends.erase(std::string(name));
}

void DeltaClient::OnStreamOpen() {
  open_ = true;
  node_sent_ = false;
  acknowledgements_.clear();
  for (auto& [url, type] : types_) {
    type.begun = false;
    type.wildcard_sent = false;
    type.sent.clear();
  }
}

void DeltaClient::OnStreamLost() {
  open_ = false;
  acknowledgements_.clear();
}

// A resource that comes without a TTL has none any more.
void DeltaClient::Renew(Type& type, const DeltaResponse& response, MonotonicTime now) {
  for (const WireResource& resource : response.resources) type.ends.erase(resource.name);
  for (const auto& [name, version] : response.heartbeats) type.ends.erase(name);
  for (const auto& [name, ttl] : response.ttls)
    if (type.held.contains(name)) type.ends[name] = now + ttl;
}

std::optional<MonotonicTime> DeltaClient::NextEnd() const {
  std::optional<MonotonicTime> next;
  for (const auto& [url, type] : types_)
    for (const auto& [name, end] : type.ends)
      if (!next || end < *next) next = end;
  return next;
}

void DeltaClient::EndLives(MonotonicTime now) {
  for (auto& [url, type] : types_) {
    std::vector<std::string> over;
    for (const auto& [name, end] : type.ends)
      if (end <= now) over.push_back(name);
    if (over.empty()) continue;
    for (const std::string& name : over) {
      type.ends.erase(name);
      type.held.erase(name);  // so that the next stream brings it again
    }
    const std::vector<WireResource> none;
    (void)subscriber_.OnUpdate({.type_url = url, .added = none, .removed = over});
  }
}

void DeltaClient::OnResponse(const DeltaResponse& response, MonotonicTime now) {
  if (control_plane_.empty()) control_plane_ = response.control_plane;
  DeltaRequest acknowledgement;
  acknowledgement.type_url = response.type_url;
  acknowledgement.response_nonce = response.nonce;
  Type& type = TypeOf(response.type_url);
  ++type.counts.updates;
  std::vector<Rejection> rejections =
      subscriber_.OnUpdate({.type_url = response.type_url, .added = response.resources, .removed = response.removed});
  for (const auto& [name, other] : response.foreign)
    rejections.push_back(OfAnotherType(name, other, response.type_url));
  for (const auto& [name, version] : response.heartbeats) {
    const auto held = type.held.find(name);
    if (held == type.held.end() || held->second != version) rejections.push_back(WithoutContent(name, version));
  }
  std::map<std::string_view, std::string_view> bad;
  std::string reasons;
  for (const Rejection& rejection : rejections) {
    bad.emplace(rejection.name, rejection.reason);
    if (!reasons.empty()) reasons += "; ";
    reasons += rejection.reason;
  }
  for (const WireResource& resource : response.resources)
    if (!bad.contains(resource.name)) type.held[resource.name] = resource.version;
  for (const std::string& name : response.removed) {
    type.held.erase(name);
    type.ends.erase(name);
  }
  Renew(type, response, now);
  type.counts.last_error = reasons;
  if (rejections.empty()) {
    type.counts.system_version = response.system_version;
  } else {
    ++type.counts.rejections;
    acknowledgement.error = std::move(reasons);
  }
  acknowledgements_.push_back(std::move(acknowledgement));
}

void DeltaClient::AddChanges(const std::string& url, Type& type) {
  DeltaRequest request;
  request.type_url = url;
  // "*" instead of an empty list: with names beside it the empty form would not be a wildcard.
  if (type.wildcard && !std::exchange(type.wildcard_sent, true)) request.subscribe.emplace_back("*");
  for (const std::string& name : type.wanted)
    if (!type.sent.contains(name)) request.subscribe.push_back(name);
  for (const std::string& name : type.sent)
    if (!type.wanted.contains(name)) request.unsubscribe.push_back(name);
  type.sent = type.wanted;
  if (request.subscribe.empty() && request.unsubscribe.empty()) return;
  if (!std::exchange(type.begun, true)) request.initial_versions = type.held;
  if (!std::exchange(node_sent_, true)) request.node = node_;
  acknowledgements_.push_back(std::move(request));
}

std::vector<DeltaRequest> DeltaClient::TakeRequests() {
  if (!open_) return {};
  for (const std::string& url : order_) AddChanges(url, types_.find(url)->second);
  return std::exchange(acknowledgements_, {});
}

std::map<std::string, TypeStatus, std::less<>> DeltaClient::status() const {
  std::map<std::string, TypeStatus, std::less<>> out;
  for (const auto& [url, type] : types_) {
    TypeStatus status = type.counts;
    status.wildcard = type.wildcard;
    status.names = type.wanted.size();
    status.held = type.held.size();
    out.emplace(url, std::move(status));
  }
  return out;
}

}  // namespace plait::xds
