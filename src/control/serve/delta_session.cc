#include "control/serve/delta_session.h"

#include <algorithm>
#include <array>

#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types

// What a listener or route may name comes before it.
constexpr std::array kOrder = {kSecret, kCluster, kEndpoint, kListener, kRoute, kL4Routes};

std::size_t Rank(std::string_view url) noexcept {
  return static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), url) - kOrder.begin());
}
bool IsTarget(std::string_view url) noexcept { return url == kCluster || url == kEndpoint; }
bool IsRouting(std::string_view url) noexcept { return url == kListener || url == kRoute || url == kL4Routes; }

constexpr std::string_view kWildcard = "*";

}  // namespace

bool DeltaSession::PushOrder::operator()(std::string_view a, std::string_view b) const noexcept {
  const std::size_t left = Rank(a), right = Rank(b);
  return left != right ? left < right : a < b;
}

Result<DeltaSession::Reply> DeltaSession::OnRequest(const xds::DeltaRequest& request) {
  const auto [at, first] = types_.try_emplace(request.type_url);
  if (types_.size() > kMaxTypes) return Fail(Errc::kLimit, "the stream subscribes to too many types");
  Type& type = at->second;
  const Reply reply = Acknowledge(type, request);
  names_ -= type.names.size();
  Unsubscribe(type, request.unsubscribe);
  Subscribe(type, request, first);
  names_ += type.names.size();
  if (names_ > kMaxNames) return Fail(Errc::kLimit, "the stream subscribes to too many names");
  return reply;
}

DeltaSession::Reply DeltaSession::Acknowledge(Type& type, const xds::DeltaRequest& request) {
  if (request.response_nonce.empty()) return Reply::kNone;
  const auto at = std::find_if(type.unacknowledged.begin(), type.unacknowledged.end(),
                               [&](const auto& sent) { return sent.first == request.response_nonce; });
  if (at == type.unacknowledged.end()) return Reply::kExpiredNonce;
  const auto [nonce, version] = *at;
  type.unacknowledged.erase(at);
  if (request.error) {
    ++type.counts.nacked;
    type.counts.last_error = *request.error;
    return Reply::kNack;
  }
  ++type.counts.acked;
  type.counts.acked_nonce = nonce;
  type.counts.acked_version = version;
  type.counts.last_error.clear();
  return Reply::kAck;
}

void DeltaSession::Subscribe(Type& type, const xds::DeltaRequest& request, bool first) {
  if (first) {
    for (const auto& [name, version] : request.initial_versions) type.held[name] = version;
    if (!type.held.empty()) type.stale = true;  // what it has may be gone
  }
  if (first && request.subscribe.empty()) type.wildcard = type.stale = true;
  for (const std::string& name : request.subscribe) {
    if (name == kWildcard) {
      type.wildcard = type.stale = true;
      continue;
    }
    type.names.insert(name);
    // On a running stream the client may have dropped what it had under this or another name: it is sent anyway.
    type.asked[name] = !first;
    type.absent.erase(name);
  }
}

void DeltaSession::Unsubscribe(Type& type, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    type.absent.erase(name);
    type.asked.erase(name);
    if (name == kWildcard) {
      type.wildcard = false;
      continue;
    }
    if (type.names.erase(name) == 0) continue;
    type.held.erase(name);
    // The client dropped it, but the wildcard may bring it again.
    if (type.wildcard) type.stale = true;
  }
  // Without the wildcard the client holds only what its names bring; resources under other names are forgotten when
  // they are next compared (the removal that this may tell of something dropped already is harmless).
}

bool DeltaSession::RoutesIdle() const noexcept {
  return std::none_of(types_.begin(), types_.end(), [](const auto& entry) {
    return IsRouting(entry.first) &&
           (entry.second.stale || !entry.second.asked.empty() || !entry.second.unacknowledged.empty());
  });
}

void DeltaSession::Answer(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                          Changes& out) {
  for (const auto& [name, always] : type.asked) {
    const ResourceRef found = provider.Find(proxy, url, name);
    if (found == nullptr) {
      if (type.absent.insert(name).second) out.removed.insert(name);
      continue;
    }
    std::string& version = type.held[found->name];
    const bool there = std::find(out.resources.begin(), out.resources.end(), found) != out.resources.end();
    if (there || (!always && version == found->version)) continue;
    version = found->version;
    out.resources.push_back(found);
  }
  type.asked.clear();
}

void DeltaSession::Compare(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                           bool remove, Changes& out) {
  std::map<std::string_view, ResourceRef> now;
  std::set<std::string, std::less<>> absent;
  const auto add = [&](ResourceRef found) {
    const std::string_view primary = found->name;
    now.emplace(primary, std::move(found));
  };
  if (type.wildcard)
    for (ResourceRef& resource : provider.All(proxy, url)) add(std::move(resource));
  for (const std::string& name : type.names) {
    if (now.contains(name)) continue;
    if (ResourceRef found = provider.Find(proxy, url, name)) {
      add(std::move(found));
    } else {
      absent.insert(name);
    }
  }

  for (const auto& [name, resource] : now) {
    std::string& version = type.held[std::string(name)];
    if (version == resource->version) continue;
    version = resource->version;
    out.resources.push_back(resource);
  }
  type.removals_due = false;
  for (auto held = type.held.begin(); held != type.held.end();) {
    if (now.contains(held->first)) {
      ++held;
    } else if (!remove) {
      type.removals_due = true;
      absent.erase(held->first);  // told with the removal
      ++held;
    } else {
      out.removed.insert(held->first);
      held = type.held.erase(held);
    }
  }
  for (const std::string& name : absent)
    if (!type.absent.contains(name)) out.removed.insert(name);
  type.absent = std::move(absent);
}

void DeltaSession::Emit(const std::string& url, Type& type, const std::string& version, Changes changes,
                        std::vector<xds::DeltaResponse>& out) {
  std::size_t next = 0;
  do {
    xds::DeltaResponse& response = out.emplace_back();
    response.type_url = url;
    response.nonce = std::to_string(++nonce_);
    response.system_version = version;
    for (std::size_t bytes = 0; next < changes.resources.size() && bytes < kResponseBytes; ++next) {
      bytes += changes.resources[next]->bytes.size();
      response.resources.push_back(*changes.resources[next]);
    }
    if (next == changes.resources.size()) response.removed.assign(changes.removed.begin(), changes.removed.end());
    type.unacknowledged.emplace_back(response.nonce, version);
    ++type.counts.sent;
    type.counts.sent_nonce = response.nonce;
    type.counts.sent_version = version;
  } while (next < changes.resources.size());
}

std::vector<xds::DeltaResponse> DeltaSession::Take(ResourceProvider& provider, const Proxy& proxy) {
  std::vector<xds::DeltaResponse> out;
  for (auto& [url, type] : types_) {
    Changes changes;
    // A type's first answer is sent even when it is empty: a wildcard of nothing is an answer, too.
    const bool first = type.counts.sent == 0 && type.wildcard;
    if (type.unacknowledged.size() < kMaxUnacknowledged) Answer(url, type, provider, proxy, changes);
    if (type.stale && type.unacknowledged.empty()) {
      type.stale = false;
      Compare(url, type, provider, proxy, !IsTarget(url), changes);
    } else if (first) {
      continue;
    }
    if (first || !changes.empty()) Emit(url, type, provider.version(), std::move(changes), out);
  }
  if (!RoutesIdle()) return out;
  for (auto& [url, type] : types_) {
    if (!type.removals_due || !type.unacknowledged.empty()) continue;
    Changes changes;
    Compare(url, type, provider, proxy, true, changes);
    if (!changes.empty()) Emit(url, type, provider.version(), std::move(changes), out);
  }
  return out;
}

bool DeltaSession::has_unacknowledged() const noexcept {
  return std::any_of(types_.begin(), types_.end(),
                     [](const auto& entry) { return !entry.second.unacknowledged.empty(); });
}

std::map<std::string, SentStatus> DeltaSession::status() const {
  std::map<std::string, SentStatus> out;
  for (const auto& [url, type] : types_) {
    SentStatus& status = out[url] = type.counts;
    status.wildcard = type.wildcard;
    status.names = type.names.size();
    status.resources = type.held.size();
    status.unacknowledged = type.unacknowledged.size();
  }
  return out;
}

std::map<std::string, std::string> DeltaSession::Held(std::string_view type_url) const {
  const auto at = types_.find(type_url);
  return at == types_.end() ? std::map<std::string, std::string>{} : at->second.held;
}

}  // namespace plait::control::serve
