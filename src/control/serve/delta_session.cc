#include "control/serve/delta_session.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <span>

#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

constexpr std::size_t kReadReason = 64U << 10;  // of a refusal: as much is searched for names

bool IsWordCharacter(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("_-|/~*").contains(c);
}
bool JoinsWords(char c) noexcept { return c == '.' || c == ':'; }  // between them; else it ends a sentence

// Whether `text` has the name as a whole, and not as a part of a longer one ("0.0.0.0_44" in "0.0.0.0_443").
bool Mentions(std::string_view text, std::string_view name) noexcept {
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    std::string_view before = text.substr(0, at), after = text.substr(at + name.size());
    if (!before.empty() && JoinsWords(before.back())) before.remove_suffix(1);
    if (!after.empty() && JoinsWords(after.front())) after.remove_prefix(1);
    if ((before.empty() || !IsWordCharacter(before.back())) && (after.empty() || !IsWordCharacter(after.front())))
      return true;
  }
  return false;
}

void Erase(std::set<std::string, std::less<>>& names, std::string_view name) {
  if (const auto at = names.find(name); at != names.end()) names.erase(at);
}

}  // namespace

Result<Reply> DeltaSession::OnRequest(const xds::DeltaRequest& request) {
  const auto [at, first] = types_.try_emplace(request.type_url);
  if (types_.size() > SessionLimits::kMaxTypes) return Fail(Errc::kLimit, "the stream subscribes to too many types");
  if (const Result<> names = CheckNames(request.subscribe); !names) return std::unexpected(names.error());
  Type& type = at->second;
  const Reply reply = Acknowledge(type, request);
  names_ -= type.names.size();
  Unsubscribe(type, request.unsubscribe);
  Subscribe(type, request, first);
  names_ += type.names.size();
  if (first) initial_ += type.held.size();
  if (initial_ > SessionLimits::kMaxInitial) return Fail(Errc::kLimit, "the client holds too many resources");
  if (names_ > SessionLimits::kMaxNames) return Fail(Errc::kLimit, "the stream subscribes to too many names");
  return reply;
}

Reply DeltaSession::Acknowledge(Type& type, const xds::DeltaRequest& request) {
  if (request.response_nonce.empty()) return Reply::kNone;
  const auto at = std::find_if(type.unacknowledged.begin(), type.unacknowledged.end(),
                               [&](const Sent& sent) { return sent.nonce == request.response_nonce; });
  if (at == type.unacknowledged.end()) return Reply::kExpiredNonce;
  const Sent sent = std::move(*at);
  type.unacknowledged.erase(at);
  if (request.error) {
    Refused(type, sent, *request.error);
    type.counts.CountNack(*request.error);
    return Reply::kNack;
  }
  type.counts.CountAck(sent.nonce, sent.version, Mended(type, sent));
  return Reply::kAck;
}

std::vector<std::string_view> DeltaSession::Sent::Names() const {
  std::vector<std::string_view> names(removed.begin(), removed.end());
  for (const ResourceRef& resource : brought) names.push_back(resource->name);
  return names;
}

// The reason names what it is about, as a rule; then the client has taken the rest of the response.
void DeltaSession::Refused(Type& type, const Sent& sent, std::string_view error) {
  error = error.substr(0, kReadReason);
  const std::vector<std::string_view> names = sent.Names();
  std::set<std::string, std::less<>> named;
  for (const std::string_view name : names)
    if (Mentions(error, name)) named.emplace(name);
  if (named.empty()) {
    type.refused.emplace(kWildcard);
    return;
  }
  for (const std::string_view name : names) Erase(type.refused, name);
  type.refused.merge(named);
}

// An answer to other resources says nothing of those that were refused: only what changes is sent again.
bool DeltaSession::Mended(Type& type, const Sent& sent) {
  if (type.refused.contains(kWildcard)) type.refused.clear();
  if (type.refused.empty()) return true;
  for (const std::string_view name : sent.Names()) Erase(type.refused, name);
  return type.refused.empty();
}

void DeltaSession::Subscribe(Type& type, const xds::DeltaRequest& request, bool first) {
  if (first) {
    for (const auto& [name, version] : request.initial_versions)
      type.held.Put(std::make_shared<const xds::WireResource>(
          xds::WireResource{.name = name, .version = version, .aliases = {}, .bytes = {}}));
    if (!type.held.empty()) type.stale = true;  // what it has may be gone
  }
  if (first && request.subscribe.empty()) type.wildcard = type.wildcard_owed = type.stale = true;
  for (const std::string& name : request.subscribe) {
    if (name == kWildcard) {
      type.wildcard = type.wildcard_owed = type.stale = true;
      continue;
    }
    type.names.insert(name);
    type.absent.erase(name);
    // On a running stream the client may have dropped what it had under this or another name: it is sent anyway. So are
    // endpoints of clusters that it warms. What else it holds at the start is a change, which must wait as others do.
    const bool always = !first || (request.type_url == xds::type_url::kEndpoint && repeat_.contains(name));
    if (always || !type.held.Contains(name)) type.asked[name] = always;
  }
  if (request.type_url == xds::type_url::kEndpoint) repeat_.clear();
}

void DeltaSession::Unsubscribe(Type& type, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    type.absent.erase(name);
    type.asked.erase(name);
    if (name == kWildcard) {
      type.wildcard = type.wildcard_owed = false;
      continue;
    }
    if (type.names.erase(name) == 0) continue;
    type.held.Erase(name);
    if (type.refused.erase(name) != 0 && type.refused.empty()) type.counts.last_error.clear();
    // The client dropped it, but the wildcard may bring it again.
    if (type.wildcard) type.stale = true;
  }
  if (type.wildcard || std::ranges::find(names, kWildcard) == names.end()) return;
  // What no name brings the client has dropped: it is sent when the wildcard is asked for again.
  std::vector<ResourceRef> held;
  std::ranges::copy_if(type.held.all(), std::back_inserter(held),
                       [&](const ResourceRef& resource) { return Wants(type, *resource); });
  type.held.Assign(std::move(held));
}

void DeltaSession::OnConfigChanged(const Difference& difference, const Proxy& proxy) {
  ++changes_;
  for (auto& [url, type] : types_) {
    const Difference::Extent extent = difference.Of(url, proxy);
    if (extent == Difference::Extent::kAll) type.stale = true;
    if (extent == Difference::Extent::kSome && !type.stale) Touch(url, type, difference);
  }
}

void DeltaSession::Touch(const std::string& url, Type& type, const Difference& difference) {
  if (url == xds::type_url::kAddress) {
    for (const std::string& name : difference.addresses)
      if (type.wildcard || type.names.contains(name) || type.held.Contains(name)) type.touched.insert(name);
    for (const std::string& alias : difference.address_aliases)
      if (type.names.contains(alias)) type.touched.insert(alias);
  } else if (type.wildcard) {
    type.stale = true;
  } else {
    for (const std::string& name : type.names)
      if (difference.Touches(name)) type.touched.insert(name);
  }
  if (type.touched.size() > kMaxTouched) type.stale = true;
}

bool DeltaSession::RoutesIdle() const noexcept {
  return std::none_of(types_.begin(), types_.end(), [](const auto& entry) {
    return IsRouting(entry.first) &&
           (entry.second.stale || !entry.second.touched.empty() || !entry.second.asked.empty() ||
            !entry.second.unacknowledged.empty() || entry.second.waiting || !entry.second.refused.empty());
  });
}

void DeltaSession::Advance(const std::string& url, Type& type, const Proxy& proxy) const noexcept {
  type.progress.Advance(changes_, !type.stale && type.touched.empty(),
                        type.waiting || (!type.unacknowledged.empty() && WarmsClusters(url, type, proxy)));
}

bool DeltaSession::ClustersDue() const noexcept {
  const auto clusters = types_.find(xds::type_url::kCluster);
  return clusters != types_.end() && (clusters->second.stale || !clusters->second.touched.empty());
}

void DeltaSession::RepeatEndpoints(const Response& clusters) {
  const auto endpoints = types_.find(xds::type_url::kEndpoint);
  for (const std::string& name : clusters.removed) repeat_.erase(name);
  for (const ResourceRef& cluster : clusters.resources) {
    if (endpoints == types_.end()) {
      repeat_.insert(cluster->name);
    } else if (endpoints->second.names.contains(cluster->name)) {
      endpoints->second.asked[cluster->name] = true;
    }
  }
}

void DeltaSession::Answer(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                          Changes& out) {
  for (const auto& [name, always] : type.asked) {
    const ResourceRef found = provider.Find(proxy, url, name);
    if (found == nullptr) {
      type.held.Erase(name);
      if (type.absent.insert(name).second) out.removed.insert(name);
      continue;
    }
    const bool there = std::find(out.resources.begin(), out.resources.end(), found) != out.resources.end();
    if (there || (!type.held.Put(found) && !always)) continue;
    out.resources.push_back(found);
  }
  type.asked.clear();
}

std::vector<ResourceRef> DeltaSession::Current(const std::string& url, const Type& type, ResourceProvider& provider,
                                               const Proxy& proxy, std::set<std::string, std::less<>>& absent) {
  const auto by_name = [](const ResourceRef& resource) -> const std::string& { return resource->name; };
  std::vector<ResourceRef> now;
  if (type.wildcard) now = provider.All(proxy, url);
  std::ranges::sort(now, std::less<>(), by_name);
  const std::size_t wildcard = now.size();
  for (const std::string& name : type.names) {
    if (std::ranges::binary_search(std::span(now).first(wildcard), name, std::less<>(), by_name)) continue;
    if (ResourceRef found = provider.Find(proxy, url, name)) {
      now.push_back(std::move(found));
    } else {
      absent.insert(name);
    }
  }
  std::ranges::sort(now, std::less<>(), by_name);
  const auto [twice, end] = std::ranges::unique(now, std::equal_to<>(), by_name);
  now.erase(twice, end);
  return now;
}

void DeltaSession::Compare(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                           bool remove, Changes& out) {
  type.stale = type.removals_due = false;
  type.touched.clear();
  std::set<std::string, std::less<>> absent;
  std::vector<ResourceRef> now = Current(url, type, provider, proxy, absent);

  std::vector<ResourceRef> kept;
  kept.reserve(now.size());
  auto held = type.held.all().begin();
  const auto end = type.held.all().end();
  const auto gone = [&](const ResourceRef& resource) {
    if (remove) {
      out.removed.insert(resource->name);
      return;
    }
    type.removals_due = true;
    absent.erase(resource->name);  // told with the removal
    kept.push_back(resource);
  };
  for (ResourceRef& resource : now) {
    for (; held != end && (*held)->name < resource->name; ++held) gone(*held);
    const bool known = held != end && (*held)->name == resource->name;
    if (!known || (*held)->version != resource->version) out.resources.push_back(resource);
    if (known) ++held;
    kept.push_back(std::move(resource));
  }
  for (; held != end; ++held) gone(*held);
  type.held.Assign(std::move(kept));
  for (const std::string& name : absent)
    if (!type.absent.contains(name)) out.removed.insert(name);
  type.absent = std::move(absent);
}

// Whether a name that is subscribed brings this resource.
bool DeltaSession::Wants(const Type& type, const xds::WireResource& resource) {
  const auto subscribed = [&](const std::string& name) { return type.names.contains(name); };
  return type.wildcard || subscribed(resource.name) ||
         std::any_of(resource.aliases.begin(), resource.aliases.end(), subscribed);
}

void DeltaSession::CompareTouched(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                                  bool remove, Changes& out) {
  for (const std::string& key : std::exchange(type.touched, {})) {
    const ResourceRef found = provider.Find(proxy, url, key);
    if (found != nullptr) type.absent.erase(key);
    if (found != nullptr && Wants(type, *found)) {
      if (type.held.Put(found)) out.resources.push_back(found);
      continue;
    }
    if (remove) {
      if (type.held.Erase(key)) out.removed.insert(key);
    } else if (type.held.Contains(key)) {
      type.removals_due = true;
    }
    if (found == nullptr && type.names.contains(key) && !type.removals_due && type.absent.insert(key).second)
      out.removed.insert(key);
  }
}

void DeltaSession::Emit(const std::string& url, Type& type, const Proxy& proxy, Changes changes, std::size_t most,
                        std::vector<Response>& out) {
  std::size_t& next = changes.next;
  do {
    Response& response = out.emplace_back();
    response.type_url = url;
    response.nonce = std::to_string(++nonce_);
    response.system_version = changes.version;
    for (std::size_t bytes = 0; next < changes.resources.size() && bytes < kResponseBytes; ++next) {
      const ResourceRef& resource = changes.resources[next];
      // While it waited, an answer may have brought another version, or the client have lost interest.
      const xds::WireResource* const held = type.held.Find(resource->name);
      if (held == nullptr || held->version != resource->version) continue;
      bytes += resource->bytes.size();
      response.resources.push_back(resource);
    }
    const bool last = next == changes.resources.size();
    if (last)
      std::ranges::copy_if(changes.removed, std::back_inserter(response.removed),
                           [&](const std::string& name) { return !type.held.Contains(name); });
    if (WarmsClusters(url, type, proxy)) RepeatEndpoints(response);
    type.unacknowledged.push_back({response.nonce, changes.version, response.resources, response.removed});
    type.counts.CountSent(response.nonce, changes.version, response.resources.size(), response.removed.size());
    if (last) return;
  } while (type.unacknowledged.size() < most);
  type.waiting = std::move(changes);
}

// More of it; and answers, which wait for nothing that the client did not ask for by name.
void DeltaSession::TakeWaiting(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                               std::vector<Response>& out) {
  Changes waiting = *std::exchange(type.waiting, std::nullopt);
  Changes answers{.version = provider.version()};
  if (type.unacknowledged.size() < kMaxUnacknowledged) Answer(url, type, provider, proxy, answers);
  if (!answers.empty()) Emit(url, type, proxy, std::move(answers), SIZE_MAX, out);
  if (type.unacknowledged.size() < kMostInFlight && TargetsSettled(types_, waiting.after)) {
    Emit(url, type, proxy, std::move(waiting), kMostInFlight, out);
  } else {
    type.waiting = std::move(waiting);
  }
}

void DeltaSession::TakeChanges(const std::string& url, Type& type, ResourceProvider& provider, const Proxy& proxy,
                               std::vector<Response>& out) {
  // A client that holds nothing of the type has no route that a new one could be worse than.
  const bool ordered = IsRouting(url) && (type.counts.sent > 0 || !type.held.empty());
  Changes changes{.version = provider.version()};
  if (type.unacknowledged.size() < kMaxUnacknowledged) Answer(url, type, provider, proxy, changes);
  const bool due = (type.stale || !type.touched.empty()) && type.unacknowledged.empty() && !(ordered && ClustersDue());
  const bool early = due && ordered && !TargetsSettled(types_, changes_);
  if ((early || !due) && !changes.empty())
    Emit(url, type, proxy, std::exchange(changes, {.version = provider.version()}), kMostInFlight, out);
  if (!due || type.waiting) return;
  const bool owed = std::exchange(type.wildcard_owed, false);
  if (type.stale) {
    Compare(url, type, provider, proxy, !IsTarget(url), changes);
  } else {
    CompareTouched(url, type, provider, proxy, !IsTarget(url), changes);
  }
  if (!owed && changes.empty()) return;
  if (!early) return Emit(url, type, proxy, std::move(changes), kMostInFlight, out);
  changes.after = changes_;
  type.waiting = std::move(changes);
}

std::vector<DeltaSession::Response> DeltaSession::Take(ResourceProvider& provider, const Proxy& proxy) {
  std::vector<Response> out;
  for (auto& [url, type] : types_) {
    Advance(url, type, proxy);  // by acknowledgements: before a later change is under way
    if (type.waiting) {
      TakeWaiting(url, type, provider, proxy, out);
    } else {
      TakeChanges(url, type, provider, proxy, out);
    }
    Advance(url, type, proxy);
  }
  if (!RoutesIdle()) return out;
  for (auto& [url, type] : types_) {
    if (!type.removals_due || !type.unacknowledged.empty()) continue;
    Changes changes{.version = provider.version()};
    Compare(url, type, provider, proxy, true, changes);
    if (!changes.empty()) Emit(url, type, proxy, std::move(changes), kMostInFlight, out);
  }
  return out;
}

std::string DeltaSession::error(const std::string& type_url) const {
  const auto found = types_.find(type_url);
  return found == types_.end() ? "" : found->second.counts.last_error;
}

bool DeltaSession::has_unacknowledged() const noexcept {
  return std::any_of(types_.begin(), types_.end(),
                     [](const auto& entry) { return !entry.second.unacknowledged.empty() || entry.second.waiting; });
}

std::map<std::string, SentStatus> DeltaSession::status() const {
  std::map<std::string, SentStatus> out;
  for (const auto& [url, type] : types_)
    out.emplace(url, type.Status(type.held.size(), type.unacknowledged.size() + (type.waiting ? 1 : 0)));
  return out;
}

std::vector<std::string> DeltaSession::Names(std::string_view type_url) const {
  const auto at = types_.find(type_url);
  return at == types_.end() ? std::vector<std::string>{} : at->second.Names();
}

std::map<std::string, std::string> DeltaSession::Held(std::string_view type_url) const {
  const auto at = types_.find(type_url);
  return at == types_.end() ? std::map<std::string, std::string>{} : at->second.held.Versions();
}

}  // namespace plait::control::serve
