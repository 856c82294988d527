#include "control/serve/mesh_provider.h"

#include <algorithm>

#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/l4_routes.h"
#include "control/translate/listeners.h"
#include "control/translate/routes.h"
#include "control/translate/secrets.h"
#include "core/base/encoding.h"
#include "core/tls/certificate.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;               // NOLINT: the names of types
constexpr std::size_t kMaxCached = 200'000;  // names that do not exist are remembered, too

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

// Proxies with the same text get the same resources of the type.
std::string ShareKey(const model::Proxy& proxy, std::string_view type_url) {
  std::string key;
  if (type_url == kAddress) return key;
  key.append(proxy.type == model::Proxy::Type::kRouter ? "router " : "sidecar ")
      .append(proxy.name_space)
      .append(" ")
      .append(proxy.service_account);
  if (proxy.form == model::Proxy::Form::kEnvoy) {
    key.append(" envoy ").append(std::to_string(proxy.application_mark));
    for (const std::string& extension : proxy.extensions) key.append(" ").append(extension);
  }
  if (type_url == kListener || type_url == kSecret) return key.append(" ").append(proxy.id);
  for (const auto& [label, value] : proxy.labels) key.append(" ").append(label).append("=").append(value);
  return key;
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
  if (proxy.plait_form) return out;
  out.form = model::Proxy::Form::kEnvoy;
  out.extensions = proxy.node.extension_types;
  out.application_mark = proxy.application_mark;
  return out;
}

void MeshProvider::SetSnapshot(model::SnapshotRef snapshot) {
  snapshot_ = std::move(snapshot);
  version_ = std::to_string(++count_);
  cache_.clear();
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

std::vector<ResourceRef> MeshProvider::Addresses() {
  std::vector<ResourceRef> out;
  for (translate::NamedAddress& address : translate::Addresses(*snapshot_)) {
    ResourceRef& known = cache_[std::string(kAddress) + "\n\n" + address.name];
    if (known == nullptr) known = Encoded(address.name, address.address, std::move(address.aliases));
    out.push_back(known);
  }
  return out;
}

std::vector<ResourceRef> MeshProvider::All(const Proxy& proxy, std::string_view type_url) {
  if (snapshot_ == nullptr) return {};
  const model::Proxy who = ModelProxy(proxy);
  if (type_url == kListener) return Listeners(who);
  if (type_url == kAddress) return Addresses();
  std::vector<std::string> names;
  if (type_url == kCluster) names = translate::ClusterNames(who, *snapshot_);
  if (type_url == kEndpoint) names = translate::EndpointNames(who, *snapshot_);
  if (type_url == kRoute) names = translate::RouteNames(who, *snapshot_);
  std::vector<ResourceRef> out;
  for (const std::string& name : names)
    if (ResourceRef resource = Find(proxy, type_url, name)) out.push_back(std::move(resource));
  return out;
}

ResourceRef MeshProvider::Find(const Proxy& proxy, std::string_view type_url, std::string_view name) {
  if (snapshot_ == nullptr) return nullptr;
  const model::Proxy who = ModelProxy(proxy);
  std::string key(type_url);
  key.append("\n").append(ShareKey(who, type_url)).append("\n").append(name);
  if (const auto known = cache_.find(key); known != cache_.end()) return known->second;
  ResourceRef made = Make(who, type_url, name);
  if (cache_.size() < kMaxCached) cache_.emplace(std::move(key), made);
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
  if (type_url == kListener) {
    for (const xds::Listener& listener : translate::Listeners(proxy, mesh))
      if (listener.name == name) return Encoded(listener.name, listener);
    return nullptr;
  }
  auto address = translate::FindAddress(mesh, name);
  return address ? Encoded(std::move(address->name), address->address, std::move(address->aliases)) : nullptr;
}

}  // namespace plait::control::serve
