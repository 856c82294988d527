#include "control/serve/mesh_provider.h"

#include <algorithm>

#include "control/model/hosts.h"
#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/l4_routes.h"
#include "control/translate/listeners.h"
#include "control/translate/localities.h"
#include "control/translate/names.h"
#include "control/translate/routes.h"
#include "control/translate/secrets.h"
#include "core/base/encoding.h"
#include "core/tls/certificate.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;               // NOLINT: the names of types
constexpr std::size_t kMaxCached = 100'000;  // of a type; names that do not exist are remembered, too

// In the text that tells who shares a resource.
constexpr std::string_view kRouterKey = "router ", kEnvoyKey = " envoy ";

ResourceRef FromBytes(std::string name, std::string bytes, std::vector<std::string> aliases = {}) {
  auto out = std::make_shared<xds::WireResource>();
  out->name = std::move(name);
  out->aliases = std::move(aliases);
  out->bytes = std::move(bytes);
  out->version = HexEncode(AsBytes(tls::Sha256(out->bytes))).substr(0, 16);
  return out;
}

template <class T>
ResourceRef Encoded(std::string name, const T& value, std::vector<std::string> aliases = {}) {
  return FromBytes(std::move(name), xds::Encode(value), std::move(aliases));
}

template <class T>
ResourceRef EncodedOrNull(std::string_view name, const std::optional<T>& value) {
  return value ? Encoded(std::string(name), *value) : nullptr;
}

ResourceRef EncodedAddress(std::optional<translate::NamedAddress> address) {
  return address ? Encoded(std::move(address->name), address->address, std::move(address->aliases)) : nullptr;
}

std::map<std::string, ResourceRef> AllAddresses(const model::Snapshot& mesh) {
  std::map<std::string, ResourceRef> out;
  for (translate::NamedAddress& address : translate::Addresses(mesh)) {
    std::string name = address.name;
    out.emplace(std::move(name), EncodedAddress(std::move(address)));
  }
  return out;
}

// Labels of clients that some rule asks for: what other labels a client has makes no difference.
std::set<std::string, std::less<>> LabelsThatRulesAskFor(const model::Snapshot& mesh) {
  std::set<std::string, std::less<>> out;
  const auto add = [&](const model::Labels& labels) {
    for (const auto& [label, value] : labels) out.insert(label);
  };
  for (const auto* service : model::ObjectsOf<model::VirtualService>(mesh.objects())) {
    for (const model::HttpRule& rule : service->http)
      for (const model::HttpMatch& match : rule.matches) add(match.source.labels);
    for (const model::L4Rule& rule : service->l4)
      for (const model::L4Match& match : rule.matches) add(match.source.labels);
  }
  for (const auto* rule : model::ObjectsOf<model::DestinationRule>(mesh.objects())) add(rule->workload_selector);
  return out;
}

// Hosts of services for which some rule, or the mesh, may make it matter where a client stands.
std::unordered_set<std::string, StringHash, std::equal_to<>> PlacedHosts(const model::Snapshot& mesh) {
  std::unordered_set<std::string, StringHash, std::equal_to<>> exact, out;
  std::vector<std::string> patterns;
  for (const auto* rule : model::ObjectsOf<model::DestinationRule>(mesh.objects())) {
    if (!translate::AsksForPlaces(*rule)) continue;
    std::string host = model::ResolveHost(rule->host, rule->meta.name_space(), mesh.mesh().cluster_domain);
    if (model::IsWildcard(host))
      patterns.push_back(std::move(host));
    else
      exact.insert(std::move(host));
  }
  const bool all = mesh.mesh().locality.enabled && !mesh.mesh().locality.distribute.empty();
  const auto placed = [&](const std::string& host) {
    return all || exact.contains(host) ||
           std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return model::HostMatches(pattern, host); });
  };
  if (!all && exact.empty() && patterns.empty()) return out;
  for (const auto& service : mesh.services())
    if (placed(service->alias_of ? service->alias_of->hostname : service->hostname)) out.insert(service->hostname);
  return out;
}

}  // namespace

model::Proxy ModelProxy(const Proxy& proxy) {
  model::Proxy out;
  out.type = proxy.kind == Proxy::Kind::kRouter ? model::Proxy::Type::kRouter : model::Proxy::Type::kSidecar;
  out.id = proxy.Key();
  out.name_space = proxy.identity.name_space;
  out.service_account = proxy.identity.service_account;
  out.labels = proxy.node.labels;
  out.ips = proxy.ips;
  out.network = proxy.network;
  if (proxy.plait_form) return out;
  out.form = model::Proxy::Form::kEnvoy;
  out.extensions = proxy.node.extension_types;
  out.application_mark = proxy.application_mark;
  return out;
}

// Proxies with the same text get the same resource.
std::string MeshProvider::ShareKey(const model::Proxy& proxy, std::string_view type_url, std::string_view name) const {
  const bool router = proxy.type == model::Proxy::Type::kRouter;
  std::string key(router ? kRouterKey : "sidecar ");
  key.append(proxy.name_space).append(" ").append(proxy.network);
  if (proxy.form == model::Proxy::Form::kEnvoy) {
    key.append(kEnvoyKey).append(std::to_string(proxy.application_mark));
    for (const std::string& extension : proxy.extensions) key.append(" ").append(extension);
  }
  // What a pod itself is and has.
  if (type_url == kListener || type_url == kSecret || name.starts_with("inbound|"))
    return key.append(" ").append(proxy.service_account).append(" ").append(proxy.id);
  // Of gateways all labels count: Gateways select by them.
  for (const auto& [label, value] : proxy.labels)
    if (router || source_labels_.contains(label)) key.append(" ").append(label).append("=").append(value);
  return key;
}

// Where it matters for the resource where the proxy stands: that, which `who` is then told, as a part of the text.
std::string MeshProvider::PlaceKey(const Proxy& proxy, model::Proxy& who, std::string_view type_url,
                                   std::string_view name) {
  if (placed_hosts_.empty() || (type_url != kEndpoint && type_url != kCluster)) return {};
  const auto cluster = translate::ParseOutboundCluster(name);
  if (!cluster || !placed_hosts_.contains(cluster->hostname)) return {};
  const auto [place, first] = places_.try_emplace(proxy.name_space + "/" + proxy.name);
  if (const model::Workload* pod = first ? snapshot_->FindWorkload(proxy.name_space, proxy.name) : nullptr)
    place->second = {.locality = snapshot_->LocalityOf(*pod), .node = pod->node};
  who.locality = place->second.locality;
  who.node = place->second.node;
  const auto target = translate::FindOutboundTarget(who, *snapshot_, name);
  if (!target) return {};
  // A cluster holds its endpoints when they are names.
  if (type_url == kCluster && target->service->resolution == model::ServiceView::Resolution::kEndpoints) return {};
  return translate::Localities(who, *snapshot_, *target).Key();
}

Difference MeshProvider::SetRoots(std::string roots_pem) {
  roots_pem_ = std::move(roots_pem);
  version_ = std::to_string(++count_);
  const Difference difference{.rules = {model::Kind::kSecret}, .index = false, .all_addresses = false};
  Forget(difference);
  return difference;
}

Difference MeshProvider::SetSnapshot(model::SnapshotRef snapshot) {
  Difference difference;
  if (snapshot_ != nullptr) difference = Compare(*snapshot_, *snapshot);
  snapshot_ = std::move(snapshot);
  version_ = std::to_string(++count_);
  if (difference.index || !difference.rules.empty()) {
    source_labels_ = LabelsThatRulesAskFor(*snapshot_);
    placed_hosts_ = PlacedHosts(*snapshot_);
  }
  if (difference.index) places_.clear();
  for (const std::string& pod : difference.workloads) places_.erase(pod);
  Forget(difference);
  UpdateAddresses(difference);
  return difference;
}

// Drops from the cache what may be made differently now.
void MeshProvider::Forget(const Difference& difference) {
  if (difference.index) return caches_.clear();
  for (auto& [url, cache] : caches_) {
    std::erase_if(cache, [&](const auto& entry) {
      const bool router = entry.first.starts_with(kRouterKey), envoy = entry.first.find(kEnvoyKey) != std::string::npos;
      return difference.RulesTouch(url, router, !envoy);
    });
    if (url == kCluster || url == kEndpoint) {
      // Inbound clusters are those of the proxy's own pod.
      std::erase_if(cache, [&](const auto& entry) {
        const std::string_view name = std::string_view(entry.first).substr(entry.first.rfind('\n') + 1);
        return difference.Touches(name) || (!difference.workloads.empty() && name.starts_with("inbound|"));
      });
    } else if (url != kRoute && (url != kSecret || difference.gateways)) {
      cache.clear();
    }
  }
}

void MeshProvider::UpdateAddresses(Difference& difference) {
  difference.all_addresses = !addresses_;
  if (!addresses_) return;
  const auto note = [&](const ResourceRef& resource) {
    for (const std::string& alias : resource->aliases) difference.address_aliases.push_back(alias);
  };
  // `now` (null: none) in place of what there was.
  const auto put = [&](const std::string& name, ResourceRef now) {
    const auto known = addresses_->find(name);
    const ResourceRef before = known == addresses_->end() ? nullptr : known->second;
    if (before == now || (before && now && before->version == now->version)) return;
    difference.addresses.push_back(name);
    if (before) note(before);
    if (now) note(now);
    if (now) {
      (*addresses_)[name] = std::move(now);
    } else {
      addresses_->erase(known);
    }
  };
  if (!difference.index) {
    for (const std::string& workload : difference.workloads) {
      const std::string name = translate::AddressName(*snapshot_, workload);
      put(name, EncodedAddress(translate::FindAddress(*snapshot_, name)));
    }
    return;
  }
  std::map<std::string, ResourceRef> now = AllAddresses(*snapshot_);
  std::vector<std::string> gone;
  for (const auto& [name, resource] : *addresses_)
    if (!now.contains(name)) gone.push_back(name);
  for (const std::string& name : gone) put(name, nullptr);
  for (auto& [name, resource] : now) put(name, std::move(resource));
}

bool MeshProvider::Serves(std::string_view type_url) const {
  constexpr std::string_view kServed[] = {kListener, kRoute, kCluster, kEndpoint, kSecret, kL4Routes, kAddress};
  return std::find(std::begin(kServed), std::end(kServed), type_url) != std::end(kServed);
}

std::vector<ResourceRef> MeshProvider::Listeners(const model::Proxy& proxy) {
  std::vector<ResourceRef> out;
  for (const xds::Listener& listener : translate::Listeners(proxy, *snapshot_))
    out.push_back(Encoded(listener.name, listener));
  return out;
}

const std::map<std::string, ResourceRef>& MeshProvider::Addresses() {
  if (!addresses_) addresses_ = AllAddresses(*snapshot_);
  return *addresses_;
}

// By name from the index; by address the translator says whose it is.
ResourceRef MeshProvider::FindAddress(std::string_view key) {
  const auto& all = Addresses();
  if (const auto found = all.find(std::string(key)); found != all.end()) return found->second;
  auto address = translate::FindAddress(*snapshot_, key);
  if (!address) return nullptr;
  const auto found = all.find(address->name);
  return found != all.end() ? found->second : EncodedAddress(std::move(address));
}

std::vector<ResourceRef> MeshProvider::All(const Proxy& proxy, std::string_view type_url) {
  if (snapshot_ == nullptr) return {};
  const model::Proxy who = ModelProxy(proxy);
  if (type_url == kListener) return Listeners(who);
  std::vector<ResourceRef> out;
  if (type_url == kAddress) {
    for (const auto& [name, resource] : Addresses()) out.push_back(resource);
    return out;
  }
  std::vector<std::string> names;
  if (type_url == kCluster) names = translate::ClusterNames(who, *snapshot_);
  if (type_url == kEndpoint) names = translate::EndpointNames(who, *snapshot_);
  if (type_url == kRoute) names = translate::RouteNames(who, *snapshot_);
  for (const std::string& name : names)
    if (ResourceRef resource = Find(proxy, type_url, name)) out.push_back(std::move(resource));
  return out;
}

ResourceRef MeshProvider::Find(const Proxy& proxy, std::string_view type_url, std::string_view name) {
  if (snapshot_ == nullptr) return nullptr;
  if (type_url == kAddress) return FindAddress(name);
  model::Proxy who = ModelProxy(proxy);
  std::string key = ShareKey(who, type_url, name);
  key.append(PlaceKey(proxy, who, type_url, name)).append("\n").append(name);
  auto cache = caches_.find(type_url);
  if (cache == caches_.end()) cache = caches_.emplace(type_url, Cache()).first;
  if (const auto known = cache->second.find(key); known != cache->second.end()) return known->second;
  ResourceRef made = Make(who, type_url, name);
  if (cache->second.size() < kMaxCached) cache->second.emplace(key, made);
  return made;
}

ResourceRef MeshProvider::Make(const model::Proxy& proxy, std::string_view type_url, std::string_view name) const {
  const model::Snapshot& mesh = *snapshot_;
  if (type_url == kCluster) {
    const auto cluster = translate::FindCluster(proxy, mesh, name);
    return cluster ? FromBytes(std::string(name), xds::Encode(*cluster, proxy.application_mark)) : nullptr;
  }
  if (type_url == kEndpoint) return EncodedOrNull(name, translate::FindEndpoints(proxy, mesh, name));
  if (type_url == kRoute) return EncodedOrNull(name, translate::FindRoutes(proxy, mesh, name));
  if (type_url == kL4Routes) return EncodedOrNull(name, translate::FindL4Routes(proxy, mesh, name));
  if (type_url == kSecret) return EncodedOrNull(name, translate::FindSecret(proxy, mesh, roots_pem_, name));
  for (const xds::Listener& listener : translate::Listeners(proxy, mesh))
    if (listener.name == name) return Encoded(listener.name, listener);
  return nullptr;
}

}  // namespace plait::control::serve
