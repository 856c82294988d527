#include "proxy/worker/config_subscriber.h"

#include "core/xds/decode.h"
#include "core/xds/type_url.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;

// A resource must answer to the name under which it came: it is removed and asked for by that.
Outcome<> CheckName(const std::string& wire, const std::string& own) {
  if (wire == own) return {};
  return Explain(Errc::kInvalidInput, "the resource calls itself '" + own + "'");
}

template <class T>
Outcome<xds::Resource<T>> Decode(const xds::WireResource& wire, WallTime now, Outcome<T> (*decode)(std::string_view)) {
  auto value = decode(wire.bytes);
  if (!value) return std::unexpected(value.error());
  xds::Resource<T> resource;
  resource.name = wire.name;
  resource.version = wire.version;
  resource.bytes = wire.bytes;
  resource.value = std::make_shared<const T>(std::move(*value));
  resource.aliases = wire.aliases;
  resource.updated = now;
  return resource;
}

}  // namespace

ConfigSubscriber::ConfigSubscriber(io::Loop& loop, ConfigStore& store) : loop_(loop), store_(store) {
  store_.OnRefusedLate([this](const xds::Resource<xds::Listener>& refused, const Diagnostic& why) {
    failures_[std::string(url::kListener)][refused.name] = {
        .details = refused.name + ": " + why.ToString(), .version = refused.version, .attempted = refused.updated};
  });
}

ConfigSubscriber::~ConfigSubscriber() { store_.OnRefusedLate({}); }

const ConfigSubscriber::Failures& ConfigSubscriber::FailuresOf(std::string_view type_url) const {
  static const Failures kNone;
  const auto type = failures_.find(type_url);
  return type == failures_.end() ? kNone : type->second;
}

std::vector<xds::Rejection> ConfigSubscriber::OnUpdate(const xds::Update& update) {
  std::vector<xds::Rejection> rejections;
  const auto note = [&, &failures = failures_[std::string(update.type_url)]](const xds::WireResource& wire,
                                                                             const Outcome<>& put) {
    if (put) return void(failures.erase(wire.name));
    std::string reason = wire.name + ": " + put.error().ToString();
    failures[wire.name] = {.details = reason, .version = wire.version, .attempted = loop_.clock().Wall()};
    rejections.push_back({wire.name, std::move(reason)});
  };
  if (update.type_url == url::kListener) {
    PutListeners(update, note);
  } else {
    store_.BeginBatch();
    for (const xds::WireResource& wire : update.added) note(wire, Put(update.type_url, wire));
    RemoveAll(update);
  }
  store_.EndBatch();
  answered_.emplace(update.type_url);
  return rejections;
}

// Listeners that go give their ports to those that come, and those that change to one another. Nothing else that goes
// is in the way of what comes, which may take its place in what refers to it.
void ConfigSubscriber::PutListeners(const xds::Update& update, const Note& note) {
  std::vector<Outcome<xds::Resource<xds::Listener>>> decoded;
  std::vector<std::shared_ptr<const xds::Listener>> forms;
  for (const xds::WireResource& wire : update.added) {
    auto& listener = decoded.emplace_back(Decode(wire, loop_.clock().Wall(), &xds::DecodeListener));
    if (!listener) continue;
    if (auto same = CheckName(wire.name, (*listener).value->name); !same) {
      listener = std::unexpected(std::move(same.error()));
    } else {
      forms.push_back((*listener).value);
    }
  }
  store_.BeginBatch(std::move(forms));
  RemoveAll(update);
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const auto& listener = decoded[i];
    note(update.added[i], listener ? store_.PutListener(*listener, false) : std::unexpected(listener.error()));
  }
}

void ConfigSubscriber::RemoveAll(const xds::Update& update) {
  for (const std::string& name : update.removed) {
    failures_[std::string(update.type_url)].erase(name);
    Remove(update.type_url, name);
  }
}

Outcome<> ConfigSubscriber::Put(std::string_view type_url, const xds::WireResource& wire) {
  const WallTime now = loop_.clock().Wall();
  // Decodes, compares the resource's own name, and hands it on.
  const auto take = [&](auto decode, auto own_name, auto put) -> Outcome<> {
    auto resource = Decode(wire, now, decode);
    if (!resource) return std::unexpected(resource.error());
    if (auto same = CheckName(wire.name, own_name(*resource->value)); !same) return same;
    return put(*resource);
  };
  const auto named = [](const auto& value) -> const std::string& { return value.name; };
  if (type_url == url::kCluster)
    return take(&xds::DecodeCluster, named, [&](const auto& cluster) { return store_.PutCluster(cluster, false); });
  if (type_url == url::kRoute)
    return take(&xds::DecodeRouteConfiguration, named, [&](const auto& routes) { return store_.PutRoutes(routes); });
  if (type_url == url::kL4Routes)
    return take(&xds::DecodeL4Routes, named, [&](const auto& routes) { return store_.PutL4Routes(routes); });
  if (type_url == url::kSecret)
    return take(&xds::DecodeSecret, named,
                [&](const auto& secret) { return store_.PutSecret(secret.value, {.version = secret.version}); });
  if (type_url == url::kEndpoint) {
    return take(
        &xds::DecodeClusterLoadAssignment, [](const auto& value) -> const std::string& { return value.cluster_name; },
        [&](const auto& endpoints) { return store_.PutEndpoints(endpoints); });
  }
  if (type_url == url::kAddress) {
    return take(
        &xds::DecodeAddress, [&](const auto&) -> const std::string& { return wire.name; },
        [&](const auto& address) { return store_.PutAddress(address); });
  }
  return Explain(Errc::kInvalidInput, "resources of type " + std::string(type_url) + " were never asked for");
}

void ConfigSubscriber::Remove(std::string_view type_url, const std::string& name) {
  if (type_url == url::kListener) return store_.RemoveListener(name);
  if (type_url == url::kCluster) return store_.RemoveCluster(name);
  if (type_url == url::kRoute) return store_.RemoveRoutes(name);
  if (type_url == url::kL4Routes) return store_.RemoveL4Routes(name);
  if (type_url == url::kSecret) return store_.RemoveSecret(name);
  if (type_url == url::kEndpoint) return store_.RemoveEndpoints(name);
  if (type_url == url::kAddress) return store_.RemoveAddress(name);
}

}  // namespace plait::proxy::worker
