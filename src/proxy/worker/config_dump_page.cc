#include "proxy/worker/config_dump_page.h"

#include <deque>

#include "core/xds/config_dump.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;
using State = xds::DumpedResource::State;

template <class T, class StateOf>
std::vector<xds::DumpedResource> Dumped(const std::map<std::string, xds::Resource<T>>& all, const DumpSources& from,
                                        std::string_view type_url, StateOf state_of) {
  std::vector<xds::DumpedResource> out;
  out.reserve(all.size());
  for (const auto& [name, resource] : all) {
    out.push_back({.state = state_of(name),
                   .name = name,
                   .version = resource.version,
                   .bytes = resource.bytes,
                   .updated = resource.updated,
                   .error = from.link != nullptr ? from.link->ErrorOf(type_url, name) : std::string_view()});
  }
  return out;
}

}  // namespace

Outcome<std::string> DumpPage(const DumpSources& from, const admin::ConfigDumpQuery& query) {
  const ConfigStore::Accepted& accepted = from.store.accepted();
  const auto always = [](State state) { return [state](const std::string&) { return state; }; };
  const std::string clusters_version = from.link != nullptr ? from.link->VersionOf(url::kCluster) : "";
  const std::string listeners_version = from.link != nullptr ? from.link->VersionOf(url::kListener) : "";
  xds::DumpedConfig dump{.bootstrap = from.bootstrap.bytes,
                         .started = from.started,
                         .cluster_version = clusters_version,
                         .listener_version = listeners_version,
                         .clusters = Dumped(accepted.clusters, from, url::kCluster,
                                            [&](const std::string& name) {
                                              if (accepted.fixed.contains("cluster/" + name)) return State::kStatic;
                                              return from.store.clusters().Find(name) != nullptr ? State::kActive
                                                                                                 : State::kWarming;
                                            }),
                         .endpoints = Dumped(accepted.endpoints, from, url::kEndpoint, always(State::kActive)),
                         .listeners = Dumped(accepted.listeners, from, url::kListener,
                                             [&](const std::string& name) {
                                               if (accepted.fixed.contains("listener/" + name)) return State::kStatic;
                                               return from.store.HasActive(name) ? State::kActive : State::kWarming;
                                             }),
                         .routes = Dumped(accepted.routes, from, url::kRoute, always(State::kActive)),
                         .secrets = {},
                         .l4_routes = Dumped(accepted.l4_routes, from, url::kL4Routes, always(State::kActive)),
                         .addresses = Dumped(accepted.addresses, from, url::kAddress, always(State::kActive))};
  // Secrets are kept as values: the own one never came over the wire.
  std::deque<std::string> encoded;
  const auto secrets = from.secrets.All();
  for (const auto& secret : secrets) {
    encoded.push_back(xds::Encode(*secret));
    dump.secrets.push_back({.name = secret->name, .version = {}, .bytes = encoded.back(), .updated = from.started});
  }
  return xds::DumpConfig(dump, {.resource = query.resource,
                                .mask = query.mask,
                                .name_regex = query.name_regex,
                                .include_eds = query.include_eds});
}

}  // namespace plait::proxy::worker
