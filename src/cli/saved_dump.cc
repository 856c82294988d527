#include "cli/saved_dump.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/config_dump.h"
#include "cli/json_access.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

constexpr const char* kTypes = "type.googleapis.com/envoy.admin.v3.";
constexpr const char* kWhole = "plait pc all WORKLOAD -o json, or /config_dump?include_eds of its admin port";

// An endpoint of a cluster as EDS has it, with what the proxy has found of it.
Json EndpointOf(const Json& host) {
  Json out = {{"endpoint", {{"address", At(host, "address")}}}};
  if (const Json& health = At(host, "health_status"); health.is_object()) out["host_health_status"] = health;
  if (const Json& weight = At(host, "weight"); !weight.is_null()) out["load_balancing_weight"] = weight;
  return out;
}

Json AssignmentOf(const Json& cluster) {
  Json localities = Json::array();
  for (const Json& host : At(cluster, "host_statuses")) {
    Json place = {{"locality", At(host, "locality")}};
    if (const Json& priority = At(host, "priority"); !priority.is_null()) place["priority"] = priority;
    auto group = std::find_if(localities.begin(), localities.end(), [&](const Json& known) {
      return At(known, "locality") == At(place, "locality") && At(known, "priority") == At(place, "priority");
    });
    if (group == localities.end()) {
      place["lb_endpoints"] = Json::array();
      localities.push_back(std::move(place));
      group = std::prev(localities.end());
    }
    (*group)["lb_endpoints"].push_back(EndpointOf(host));
  }
  return {{"cluster_name", Text(cluster, {"name"})}, {"endpoints", std::move(localities)}};
}

// Of /clusters?format=json (admin/v3/clusters.proto), which has of a cluster its name alone.
Json DumpOfClusters(const Json& statuses) {
  Json lists[2][2];  // clusters and endpoints; static and by the control plane
  for (auto& [clusters, endpoints] : lists) clusters = endpoints = Json::array();
  for (const Json& cluster : statuses) {
    auto& [clusters, endpoints] = lists[At(cluster, "added_via_api") == true ? 1 : 0];
    clusters.push_back({{"cluster", {{"name", Text(cluster, {"name"})}}}});
    endpoints.push_back({{"endpoint_config", AssignmentOf(cluster)}});
  }
  return {{"configs",
           {{{"@type", std::string(kTypes) + "ClustersConfigDump"},
             {"static_clusters", std::move(lists[0][0])},
             {"dynamic_active_clusters", std::move(lists[1][0])}},
            {{"@type", std::string(kTypes) + "EndpointsConfigDump"},
             {"static_endpoint_configs", std::move(lists[0][1])},
             {"dynamic_endpoint_configs", std::move(lists[1][1])}}}}};
}

std::unexpected<Diagnostic> NoDump(std::string what, const std::string& save = kWhole) {
  return Explain(Errc::kInvalidInput, std::move(what), "save one with: " + save);
}

std::string Plural(std::string_view what) { return std::string(what) + (what == "bootstrap" ? "" : "s"); }

// Of an element of one of the section's lists: where the resource is.
std::string PathOf(const Section& section) {
  return (section.what == "listener" ? "active_state." : "") + std::string(section.resource);
}

}  // namespace

Outcome<Json> DumpIn(std::string_view text) {
  Json page = ParseJson(text);
  if (At(page, "configs").is_array()) return page;
  if (const Json& clusters = At(page, "cluster_statuses"); clusters.is_array()) return DumpOfClusters(clusters);
  if (page.is_discarded() && text.find("::") != std::string_view::npos && text.find("::added_via_api::") != text.npos)
    return NoDump("is the text of /clusters",
                  "/clusters?format=json, for clusters and endpoints; " + std::string(kWhole));
  if (page.is_array())
    return NoDump("is a list, such as `plait pc cluster WORKLOAD -o json` prints, and not a configuration dump");
  for (const auto& [field, path] : {std::pair{"listener_statuses", "/listeners"}, std::pair{"certificates", "/certs"}})
    if (At(page, field).is_array())
      return NoDump(std::string("is the answer of ") + path + ", and not a configuration dump");
  return NoDump("is not a configuration dump");
}

std::optional<Diagnostic> LackOf(const std::string& what, const Json& dump) {
  bool whole = false;
  std::size_t elements = 0;
  std::vector<std::string> held;
  const Section* wanted = nullptr;
  for (const Section& section : Sections()) {
    bool any = false;
    for (const Json& part : At(dump, "configs")) {
      const bool element = IsElementOf(part, section.type);
      if (!element && !IsSection(part, section.type)) continue;
      any = true;
      whole = whole || section.what == "bootstrap";
      if (section.what != what) continue;
      for (const auto& [name, list] : part.items()) elements += list.is_array() ? list.size() : 0;
      if (element) ++elements;
    }
    if (section.what == what) wanted = &section;
    if (any) held.push_back(Plural(section.what));
  }
  if (wanted == nullptr) return std::nullopt;
  const bool is_held = std::find(held.begin(), held.end(), Plural(wanted->what)) != held.end();
  if (!is_held && !whole)
    return Diagnostic{.code = Errc::kInvalidInput,
                      .message = "has no " + Plural(wanted->what) +
                                 (held.empty() ? ": nothing is in it" : ", but " + Join(held, ", ") + " alone"),
                      .hint = "save one with: " + std::string(kWhole)};
  if (elements == 0 || !ResourcesOf(dump, what).empty()) return std::nullopt;
  return Diagnostic{.code = Errc::kInvalidInput,
                    .message = "none of its " + std::to_string(elements) + " " + Plural(wanted->what) +
                               " has the field " + PathOf(*wanted) + ": a mask left it out",
                    .hint = "save it without ?mask, or with one that has " + PathOf(*wanted)};
}

}  // namespace plait::cli
