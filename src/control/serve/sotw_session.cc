#include "control/serve/sotw_session.h"

#include <algorithm>

#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types

// Each response is the whole set; the same types have the wildcard.
bool IsWhole(std::string_view url) noexcept { return IsWildcardType(url); }

}  // namespace

Result<Reply> SotwSession::OnRequest(const xds::DiscoveryRequest& request) {
  const auto [at, first] = types_.try_emplace(request.type_url);
  if (types_.size() > SessionLimits::kMaxTypes) return Fail(Errc::kLimit, "the stream subscribes to too many types");
  if (const Result<> names = CheckNames(request.names); !names) return std::unexpected(names.error());
  Type& type = at->second;
  // A nonce of an earlier stream says nothing, but the request is the first of this one.
  const bool begins = first || request.response_nonce.empty();
  if (!begins && request.response_nonce != type.counts.sent_nonce) return Reply::kExpiredNonce;
  const Reply reply = begins ? Reply::kNone : Acknowledge(type, request);
  const std::size_t before = type.names.size();
  const std::set<std::string, std::less<>> names_before = type.names;
  const bool wildcard_before = type.wildcard;
  const bool added = Subscribe(type, request);
  if (type.names.empty() && !type.wildcard) type.counts.last_error.clear();
  names_ += type.names.size() - before;
  if (names_ > SessionLimits::kMaxNames) return Fail(Errc::kLimit, "the stream subscribes to too many names");
  const bool same = type.names == names_before && type.wildcard == wildcard_before;
  const bool repeated = reply == Reply::kNone && same && !type.unacknowledged;
  if (added) type.stale = type.asked = true;
  if (begins || repeated) type.again = true;
  if (!same || type.again) type.stale |= std::exchange(type.pinned, std::nullopt).has_value();
  return reply;
}

Reply SotwSession::Acknowledge(Type& type, const xds::DiscoveryRequest& request) {
  const bool awaited = std::exchange(type.unacknowledged, false);
  if (request.error) {
    type.counts.CountNack(*request.error);
    return Reply::kNack;
  }
  if (!awaited) return Reply::kNone;
  type.counts.CountAck(type.counts.sent_nonce, type.counts.sent_version);
  return Reply::kAck;
}

void SotwSession::OnConfigChanged(const Difference& difference, const Proxy& proxy) {
  ++changes_;
  for (auto& [url, type] : types_) {
    const Difference::Extent extent = difference.Of(url, proxy);
    type.stale |= extent == Difference::Extent::kAll;
    if (extent != Difference::Extent::kSome) continue;
    type.stale |= type.wildcard || url == kAddress ||
                  std::any_of(type.names.begin(), type.names.end(),
                              [&](const std::string& name) { return difference.Touches(name); });
  }
}

bool SotwSession::Subscribe(Type& type, const xds::DiscoveryRequest& request) {
  std::set<std::string, std::less<>> names(request.names.begin(), request.names.end());
  const bool star = names.erase(std::string(kWildcard)) > 0;
  type.named |= star || !names.empty();
  const bool wildcard = star || (!type.named && IsWildcardType(request.type_url));
  const bool added =
      (wildcard && !type.wildcard) || !std::includes(type.names.begin(), type.names.end(), names.begin(), names.end());
  type.wildcard = wildcard;
  type.names = std::move(names);
  // What the client asks for no more it has dropped: if it asks again, it is sent again.
  if (!wildcard) std::erase_if(type.held, [&](const auto& held) { return !type.names.contains(held.first); });
  return added;
}

SotwSession::Version SotwSession::Wanted(std::string_view url, const Type& type, ResourceProvider& provider,
                                         const Proxy& proxy) const {
  Resources out;
  if (type.wildcard)
    for (ResourceRef& resource : provider.All(proxy, url)) {
      std::string name = resource->name;
      out.emplace(std::move(name), std::move(resource));
    }
  // Under the name that was asked for: the protocol knows no aliases.
  for (const std::string& name : type.names)
    if (!out.contains(name))
      if (ResourceRef found = provider.Find(proxy, url, name)) out.emplace(name, std::move(found));
  return {.version = provider.version(), .change = changes_, .resources = std::move(out)};
}

bool SotwSession::RoutesIdle() const noexcept {
  return std::none_of(types_.begin(), types_.end(), [](const auto& entry) {
    const Type& type = entry.second;
    return IsRouting(entry.first) &&
           (type.stale || type.again || type.unacknowledged || type.pinned || !type.counts.last_error.empty());
  });
}

void SotwSession::Advance(const std::string& url, Type& type, const Proxy& proxy) const noexcept {
  type.progress.Advance(changes_, !type.stale && !type.again, type.unacknowledged && WarmsClusters(url, type, proxy));
}

bool SotwSession::ClustersDue() const noexcept {
  const auto clusters = types_.find(kCluster);
  return clusters != types_.end() && (clusters->second.stale || clusters->second.again);
}

void SotwSession::Update(const std::string& url, Type& type, Version version, Extent extent,
                         std::vector<xds::DiscoveryResponse>& out) {
  type.asked = type.removals_due = false;
  const bool again = std::exchange(type.again, false);
  const bool whole = IsWhole(url);
  Resources& now = version.resources;
  if (whole && extent != Extent::kAll)
    for (const auto& [name, held] : type.held) type.removals_due |= now.emplace(name, held).second;
  if (extent == Extent::kAdded)
    for (const auto& [name, held] : type.held)
      if (const auto changed = now.find(name); changed != now.end()) changed->second = held;

  xds::DiscoveryResponse response;
  bool fresh = false;  // something is new or changed
  for (const auto& [name, resource] : now) {
    const auto held = type.held.find(name);
    const bool same = held != type.held.end() && held->second->version == resource->version;
    fresh |= !same;
    if (whole || again || !same) response.resources.push_back(resource->bytes);
  }
  const bool fewer = whole && now.size() != type.held.size();
  type.held = std::move(now);
  if (!fresh && !fewer && !(again && (whole || !response.resources.empty()))) return;
  response.type_url = url;
  response.version = std::move(version.version);
  response.nonce = std::to_string(++nonce_);
  type.unacknowledged = true;
  type.counts.CountSent(response.nonce, response.version, response.resources.size(), 0);
  out.push_back(std::move(response));
  if (url != kCluster || !fresh) return;
  if (const auto endpoints = types_.find(kEndpoint); endpoints != types_.end()) endpoints->second.again = true;
}

void SotwSession::TakeChanges(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                              std::vector<xds::DiscoveryResponse>& out) {
  if (type.unacknowledged) return;
  if (type.pinned) {
    if (TargetsSettled(types_, type.pinned->change))
      Update(url, type, *std::exchange(type.pinned, std::nullopt), Extent::kAll, out);
    return;
  }
  if (!type.stale && !type.again) return;
  const bool ordered = IsRouting(url) && !type.again && type.counts.sent > 0;
  const bool clusters_due = ordered && ClustersDue();
  const bool early = clusters_due || (ordered && !TargetsSettled(types_, changes_));
  if (early && type.asked) return Update(url, type, Wanted(url, type, provider, proxy), Extent::kAdded, out);
  if (clusters_due) return;
  type.stale = false;
  Version now = Wanted(url, type, provider, proxy);
  if (early) {
    type.pinned = std::move(now);
  } else {
    Update(url, type, std::move(now), IsTarget(url) ? Extent::kKept : Extent::kAll, out);
  }
}

std::vector<xds::DiscoveryResponse> SotwSession::Take(ResourceProvider& provider, const Proxy& proxy) {
  std::vector<xds::DiscoveryResponse> out;
  for (auto& [url, type] : types_) {
    Advance(url, type, proxy);  // by acknowledgements: before a later change is under way
    TakeChanges(url, type, provider, proxy, out);
    Advance(url, type, proxy);
  }
  if (!RoutesIdle()) return out;
  for (auto& [url, type] : types_)
    if (type.removals_due && !type.unacknowledged)
      Update(url, type, Wanted(url, type, provider, proxy), Extent::kAll, out);
  return out;
}

std::string SotwSession::error(const std::string& type_url) const {
  const auto found = types_.find(type_url);
  return found == types_.end() ? "" : found->second.counts.last_error;
}

bool SotwSession::has_unacknowledged() const noexcept {
  return std::any_of(types_.begin(), types_.end(), [](const auto& entry) { return entry.second.unacknowledged; });
}

std::map<std::string, SentStatus> SotwSession::status() const {
  std::map<std::string, SentStatus> out;
  for (const auto& [url, type] : types_) out.emplace(url, type.Status(type.held.size(), type.unacknowledged ? 1 : 0));
  return out;
}

std::vector<std::string> SotwSession::Names(std::string_view type_url) const {
  const auto at = types_.find(type_url);
  return at == types_.end() ? std::vector<std::string>{} : at->second.Names();
}

std::map<std::string, std::string> SotwSession::Held(std::string_view type_url) const {
  std::map<std::string, std::string> out;
  if (const auto at = types_.find(type_url); at != types_.end())
    for (const auto& [name, resource] : at->second.held) out.emplace(name, resource->version);
  return out;
}

}  // namespace plait::control::serve
