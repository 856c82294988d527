#include "cli/config_dump.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

constexpr const char* kClusterLists[] = {"static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters"};
constexpr const char* kListenerLists[] = {"static_listeners", "dynamic_listeners"};
constexpr const char* kRouteLists[] = {"static_route_configs", "dynamic_route_configs"};
constexpr const char* kEndpointLists[] = {"static_endpoint_configs", "dynamic_endpoint_configs"};
constexpr const char* kSecretLists[] = {"static_secrets", "dynamic_active_secrets", "dynamic_warming_secrets"};
constexpr const char* kEndpoints = ".EndpointsConfigDump";
constexpr const char* kBootstrap = ".BootstrapConfigDump";
constexpr Section kSections[] = {
    {"cluster", ".ClustersConfigDump", kClusterLists, "cluster"},
    {"listener", ".ListenersConfigDump", kListenerLists, "listener"},
    {"route", ".RoutesConfigDump", kRouteLists, "route_config"},
    {"endpoint", kEndpoints, kEndpointLists, "endpoint_config"},
    {"secret", ".SecretsConfigDump", kSecretLists, "secret"},
    {"bootstrap", kBootstrap, {}, "bootstrap"},
};

bool Is(const std::string& wanted, const std::string& value) {
  return wanted.empty() || EqualsIgnoreCase(wanted, value);
}
bool IsPort(int wanted, const std::string& port) { return wanted == 0 || std::to_string(wanted) == port; }

bool ClusterPasses(const Json& cluster, const ConfigFilter& filter) {
  const ClusterName name = SplitClusterName(Text(cluster, {"name"}));
  return name.fqdn.find(filter.fqdn) != std::string::npos && Is(filter.direction, name.direction) &&
         Is(filter.subset, name.subset) && IsPort(filter.port, name.port);
}

bool ListenerPasses(const Json& listener, const ConfigFilter& filter) {
  const auto passes = [&](const Json& address) {
    return Is(filter.address, AddressOf(address)) && IsPort(filter.port, PortOf(address));
  };
  bool any = passes(At(listener, "address"));
  for (const Json& more : At(listener, "additional_addresses")) any = any || passes(At(more, "address"));
  return any;
}

bool EndpointPasses(const Json& endpoint, const ConfigFilter& filter) {
  const Json& address = At(endpoint, {"endpoint", "address"});
  return Is(filter.address, AddressOf(address)) && IsPort(filter.port, PortOf(address)) &&
         (Is(filter.status, HealthOf(endpoint)) ||
          (OutlierCheckOf(endpoint) == "FAILED" && EqualsIgnoreCase(filter.status, "UNHEALTHY")));
}

// The assignment with the endpoints that pass; null when none does.
Json PassingEndpoints(const Json& assignment, const ConfigFilter& filter) {
  if (!Is(filter.cluster, Text(assignment, {"cluster_name"}))) return {};
  Json out = assignment;
  bool any = false;
  if (out.contains("endpoints") && out["endpoints"].is_array())
    for (Json& locality : out["endpoints"]) {
      Json kept = Json::array();
      for (const Json& endpoint : At(locality, "lb_endpoints"))
        if (EndpointPasses(endpoint, filter)) kept.push_back(endpoint);
      any = any || !kept.empty();
      if (locality.is_object()) locality["lb_endpoints"] = std::move(kept);
    }
  return any || !filter.OfEndpoints() ? out : Json();
}

// The resource of an entry of a section; null when it has none.
Json ResourceIn(const Json& entry, const Section& section) {
  const Json* resource = &At(entry, {"active_state", section.resource});
  if (resource->is_null()) resource = &At(entry, {"warming_state", section.resource});
  if (resource->is_null()) resource = &At(entry, section.resource);
  if (!resource->is_object()) return {};
  Json out = *resource;
  if (section.what == "secret" && !out.contains("name")) out["name"] = Text(entry, {"name"});
  return out;
}

// What passes of the resource; null: nothing.
Json Passing(std::string_view what, const Json& resource, const ConfigFilter& filter) {
  if (!resource.is_object()) return {};
  if (what == "endpoint") return PassingEndpoints(resource, filter);
  const bool passes = what == "cluster"    ? ClusterPasses(resource, filter)
                      : what == "listener" ? ListenerPasses(resource, filter)
                                           : Is(filter.name, Text(resource, {"name"}));
  return passes ? resource : Json();
}

// cluster and address -> HostHealthStatus
using HostHealth = std::map<std::pair<std::string, std::string>, Json>;

std::string PlaceOf(const Json& address) { return AddressOf(address) + ":" + PortOf(address); }

HostHealth HostHealthIn(const Json& clusters) {
  HostHealth out;
  for (const Json& cluster : At(clusters, "cluster_statuses"))
    for (const Json& host : At(cluster, "host_statuses"))
      for (const char* name : {"name", "eds_service_name"}) {
        const Json& health = At(host, "health_status");
        const std::string of = Text(cluster, {name});
        if (of.empty() || !health.is_object()) continue;
        Json& known = out[{of, PlaceOf(At(host, "address"))}];
        // Several clusters may have one assignment: a host that is ejected from any of them is worth a look.
        if (!known.is_object() || At(health, "failed_outlier_check") == true) known = health;
      }
  return out;
}

void AddHealth(Json& assignment, const HostHealth& found) {
  if (!At(assignment, "endpoints").is_array()) return;
  const std::string cluster = Text(assignment, {"cluster_name"});
  for (Json& locality : assignment["endpoints"]) {
    if (!At(locality, "lb_endpoints").is_array()) continue;
    for (Json& endpoint : locality["lb_endpoints"]) {
      const auto health = found.find({cluster, PlaceOf(At(endpoint, {"endpoint", "address"}))});
      if (endpoint.is_object() && health != found.end()) endpoint["host_health_status"] = health->second;
    }
  }
}

}  // namespace

ClusterName SplitClusterName(const std::string& name) {
  const std::vector<std::string_view> parts = Split(name, '|');
  if (parts.size() != 4) return {.direction = {}, .port = {}, .subset = {}, .fqdn = name};
  return {.direction = std::string(parts[0]),
          .port = std::string(parts[1]),
          .subset = std::string(parts[2]),
          .fqdn = std::string(parts[3])};
}

std::string AddressOf(const Json& address) {
  if (const std::string pipe = Text(address, {"pipe", "path"}); !pipe.empty()) return "unix://" + pipe;
  return Text(address, {"socket_address", "address"});
}

std::string PortOf(const Json& address) { return Text(address, {"socket_address", "port_value"}); }

std::string HealthOf(const Json& lb_endpoint) {
  const Json& found = At(lb_endpoint, "host_health_status");
  if (At(found, "failed_active_health_check") == true) return "UNHEALTHY";
  std::string status = Text(found, {"eds_health_status"});
  if (status.empty()) status = Text(lb_endpoint, {"health_status"});
  return status.empty() || status == "UNKNOWN" ? "HEALTHY" : status;
}

std::string OutlierCheckOf(const Json& lb_endpoint) {
  const Json& found = At(lb_endpoint, "host_health_status");
  if (!found.is_object()) return "-";
  return At(found, "failed_outlier_check") == true ? "FAILED" : "OK";
}

std::span<const Section> Sections() { return kSections; }

bool IsSection(const Json& part, std::string_view type) { return Text(part, {"@type"}).ends_with(type); }
bool IsElementOf(const Json& part, std::string_view type) {
  return Text(part, {"@type"}).find(std::string(type) + ".") != std::string::npos;
}

Json ResourcesOf(const Json& dump, const std::string& what) {
  Json out = Json::array();
  for (const Section& section : kSections) {
    if (what != section.what) continue;
    for (const Json& part : At(dump, "configs")) {
      if (IsElementOf(part, section.type))
        if (Json resource = ResourceIn(part, section); resource.is_object()) out.push_back(std::move(resource));
      if (!IsSection(part, section.type)) continue;
      for (const char* list : section.lists)
        for (const Json& entry : At(part, list))
          if (Json resource = ResourceIn(entry, section); resource.is_object()) out.push_back(std::move(resource));
    }
  }
  return out;
}

bool HasService(const std::string& what, const Json& resources) {
  if (what != "cluster" && what != "endpoint") return !resources.empty();
  const char* name = what == "cluster" ? "name" : "cluster_name";
  return std::any_of(resources.begin(), resources.end(), [&](const Json& resource) {
    return SplitClusterName(Text(resource, {name})).direction == "outbound";
  });
}

Json Select(const std::string& what, const Json& resources, const ConfigFilter& filter) {
  Json out = Json::array();
  for (const Json& resource : resources)
    if (Json passing = Passing(what, resource, filter); !passing.is_null()) out.push_back(std::move(passing));
  return out;
}

Json SelectAll(Json dump, const ConfigFilter& filter) {
  if (!At(dump, "configs").is_array()) return dump;
  // Whether it passes; of an endpoint assignment what does.
  const auto keep = [&](Json& entry, const Section& section) {
    Json passing = Passing(section.what, ResourceIn(entry, section), filter);
    if (passing.is_null()) return false;
    if (section.what == "endpoint") entry[section.resource] = std::move(passing);
    return true;
  };
  Json parts = Json::array();
  for (Json& part : dump["configs"]) {
    bool kept_part = true;
    for (const Section& section : kSections) {
      if (IsElementOf(part, section.type)) kept_part = keep(part, section);
      if (!IsSection(part, section.type)) continue;
      for (const char* list : section.lists) {
        if (!At(part, list).is_array()) continue;
        Json kept = Json::array();
        for (Json& entry : part[list])
          if (keep(entry, section)) kept.push_back(std::move(entry));
        part[list] = std::move(kept);
      }
    }
    if (kept_part) parts.push_back(std::move(part));
  }
  dump["configs"] = std::move(parts);
  return dump;
}

Json WithHostHealth(Json dump, const Json& clusters) {
  if (!At(dump, "configs").is_array()) return dump;
  const HostHealth found = HostHealthIn(clusters);
  for (Json& part : dump["configs"]) {
    if (!IsSection(part, kEndpoints)) continue;
    for (const char* list : kEndpointLists) {
      if (!At(part, list).is_array()) continue;
      for (Json& entry : part[list])
        if (At(entry, "endpoint_config").is_object()) AddHealth(entry["endpoint_config"], found);
    }
  }
  return dump;
}

const Json& BootstrapOf(const Json& dump) {
  static const Json kNone;
  for (const Json& part : At(dump, "configs"))
    if (IsSection(part, kBootstrap)) return At(part, "bootstrap");
  return kNone;
}

}  // namespace plait::cli
