#include "cli/config_dump.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/base/time.h"
#include "core/tls/certificate.h"

namespace plait::cli {
namespace {

struct Section {
  const char* what;
  const char* type;          // end of the section's @type
  const char* const* lists;  // fields that hold resources
  const char* resource;      // field of an entry; a dynamic listener has it below active_state
};
constexpr const char* kClusterLists[] = {"static_clusters", "dynamic_active_clusters", nullptr};
constexpr const char* kListenerLists[] = {"static_listeners", "dynamic_listeners", nullptr};
constexpr const char* kRouteLists[] = {"static_route_configs", "dynamic_route_configs", nullptr};
constexpr const char* kEndpointLists[] = {"static_endpoint_configs", "dynamic_endpoint_configs", nullptr};
constexpr const char* kSecretLists[] = {"static_secrets", "dynamic_active_secrets", "dynamic_warming_secrets", nullptr};
constexpr Section kSections[] = {
    {"cluster", ".ClustersConfigDump", kClusterLists, "cluster"},
    {"listener", ".ListenersConfigDump", kListenerLists, "listener"},
    {"route", ".RoutesConfigDump", kRouteLists, "route_config"},
    {"endpoint", ".EndpointsConfigDump", kEndpointLists, "endpoint_config"},
    {"secret", ".SecretsConfigDump", kSecretLists, "secret"},
};

// Never throws: a dump may come from any version of any proxy.
const Json& At(const Json& object, std::string_view key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(std::string(key));
  return found == object.end() ? kNothing : *found;
}
const Json& At(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* at = &object;
  for (const std::string_view key : path) at = &At(*at, key);
  return *at;
}
std::string Text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : value.dump();
}
std::string Text(const Json& object, std::initializer_list<std::string_view> path) { return Text(At(object, path)); }
std::string OrDash(std::string text) { return text.empty() ? "-" : text; }

std::string AddressOf(const Json& address) {
  if (const std::string pipe = Text(address, {"pipe", "path"}); !pipe.empty()) return "unix://" + pipe;
  return Text(address, {"socket_address", "address"});
}
std::string PortOf(const Json& address) { return Text(address, {"socket_address", "port_value"}); }

// The object that istiod names in metadata, as istioctl prints it: name.namespace.
std::string ConfigObject(const Json& resource) {
  const std::string path = Text(resource, {"metadata", "filter_metadata", "istio", "config"});
  const std::vector<std::string_view> parts = Split(path, '/');
  // /apis/networking.istio.io/v1/namespaces/<ns>/<kind>/<name>
  if (parts.size() < 8) return "";
  return std::string(parts[7]) + "." + std::string(parts[5]);
}

// "outbound|9080|v1|reviews.default.svc.cluster.local"
void AddCluster(const Json& cluster, Table& table) {
  const std::string name = Text(cluster, {"name"});
  const std::vector<std::string_view> parts = Split(name, '|');
  const std::string type =
      Text(cluster, {"type"}).empty() ? Text(cluster, {"cluster_type", "name"}) : Text(cluster, {"type"});
  if (parts.size() == 4) {
    table.rows.push_back({std::string(parts[3]), std::string(parts[1]), OrDash(std::string(parts[2])),
                          std::string(parts[0]), type, ConfigObject(cluster)});
  } else {
    table.rows.push_back({name, "-", "-", "-", type, ConfigObject(cluster)});
  }
}

std::string MatchOf(const Json& match) {
  std::string out;
  const auto add = [&](const char* label, const Json& values) {
    if (!values.is_array() || values.empty()) return;
    std::string list;
    for (const Json& value : values) list += (list.empty() ? "" : ",") + Text(value);
    out += (out.empty() ? "" : "; ") + std::string(label) + ": " + list;
  };
  if (const std::string transport = Text(match, {"transport_protocol"}); !transport.empty())
    out = "Trans: " + transport;
  add("App", At(match, "application_protocols"));
  add("SNI", At(match, "server_names"));
  if (const std::string port = Text(match, {"destination_port"}); !port.empty())
    out += (out.empty() ? "" : "; ") + ("Port: " + port);
  if (const Json& ranges = At(match, "prefix_ranges"); ranges.is_array() && !ranges.empty())
    out += (out.empty() ? "" : "; ") +
           ("Addr: " + Text(ranges[0], {"address_prefix"}) + "/" + Text(ranges[0], {"prefix_len"}));
  return out.empty() ? "ALL" : out;
}

std::string DestinationOf(const Json& chain) {
  for (const Json& filter : At(chain, "filters")) {
    const Json& config = At(filter, "typed_config");
    const std::string type = Text(config, {"@type"});
    if (type.ends_with(".HttpConnectionManager")) {
      const std::string route = Text(config, {"rds", "route_config_name"});
      return route.empty() ? "Inline Route: " + Text(config, {"route_config", "name"}) : "Route: " + route;
    }
    if (type.ends_with(".TcpProxy")) return "Cluster: " + OrDash(Text(config, {"cluster"}));
    if (type.ends_with(".Outbound")) return "by destination (Plait)";
    if (type.ends_with(".Inbound")) return "the workload's ports (Plait)";
  }
  return "Non-HTTP/Non-TCP";
}

void AddListener(const Json& listener, Table& table) {
  std::string addresses = AddressOf(At(listener, "address"));
  for (const Json& more : At(listener, "additional_addresses")) addresses += "," + AddressOf(At(more, "address"));
  const std::string port = PortOf(At(listener, "address"));
  const auto add = [&](const Json& chain) {
    table.rows.push_back({addresses, port, MatchOf(At(chain, "filter_chain_match")), DestinationOf(chain)});
  };
  for (const Json& chain : At(listener, "filter_chains")) add(chain);
  if (const Json& chain = At(listener, "default_filter_chain"); chain.is_object()) add(chain);
}

std::string PathMatch(const Json& match) {
  for (const auto& [field, suffix] :
       {std::pair{"prefix", "*"}, std::pair{"path", ""}, std::pair{"path_separated_prefix", "/*"}})
    if (const std::string text = Text(match, {field}); !text.empty()) return text + suffix;
  if (const std::string regex = Text(match, {"safe_regex", "regex"}); !regex.empty()) return "regex " + regex;
  return "-";
}

void AddRoute(const Json& config, Table& table) {
  for (const Json& host : At(config, "virtual_hosts")) {
    std::string domains;
    std::size_t more = 0;
    for (const Json& domain : At(host, "domains")) {
      if (domain == "*" || domains.empty() || std::count(domains.begin(), domains.end(), ',') < 1)
        domains += (domains.empty() ? "" : ", ") + Text(domain);
      else
        ++more;
    }
    if (more > 0) domains += " + " + std::to_string(more) + " more...";
    for (const Json& route : At(host, "routes")) {
      std::string object = ConfigObject(route);
      if (At(route, "direct_response").is_object()) object = Text(route, {"direct_response", "status"});
      table.rows.push_back(
          {Text(config, {"name"}), Text(host, {"name"}), domains, PathMatch(At(route, "match")), object});
    }
  }
}

void AddEndpoints(const Json& assignment, Table& table) {
  for (const Json& locality : At(assignment, "endpoints"))
    for (const Json& endpoint : At(locality, "lb_endpoints")) {
      const Json& address = At(endpoint, {"endpoint", "address"});
      std::string status = Text(endpoint, {"health_status"});
      if (status.empty() || status == "UNKNOWN") status = "HEALTHY";
      const std::string port = PortOf(address);
      table.rows.push_back(
          {AddressOf(address) + (port.empty() ? "" : ":" + port), status, "OK", Text(assignment, {"cluster_name"})});
    }
}

void AddSecret(const Json& secret, Table& table) {
  const Json& own = At(secret, "tls_certificate");
  const std::string encoded = own.is_object() ? Text(own, {"certificate_chain", "inline_bytes"})
                                              : Text(secret, {"validation_context", "trusted_ca", "inline_bytes"});
  const std::string kind = own.is_object() ? "Cert Chain" : "CA";
  const auto chain = tls::ReadBundle(Base64Decode(encoded).value_or(""));
  if (!chain || chain->empty()) {
    table.rows.push_back({Text(secret, {"name"}), kind, "WARMING", "false", "", "", ""});
    return;
  }
  for (const tls::Certificate& certificate : *chain) {
    const WallTime now = SystemClock().Wall();
    const bool valid = certificate.not_before() <= now && now <= certificate.not_after();
    table.rows.push_back({Text(secret, {"name"}), kind, "ACTIVE", valid ? "true" : "false", certificate.serial(),
                          FormatRfc3339(certificate.not_after()), FormatRfc3339(certificate.not_before())});
    if (own.is_object()) break;  // the leaf; a CA file may hold several roots
  }
}

}  // namespace

Json ResourcesOf(const Json& dump, const std::string& what) {
  Json out = Json::array();
  for (const Section& section : kSections) {
    if (what != section.what) continue;
    for (const Json& part : At(dump, "configs")) {
      if (!Text(part, {"@type"}).ends_with(section.type)) continue;
      for (const char* const* list = section.lists; *list; ++list)
        for (const Json& entry : At(part, *list)) {
          const Json& active = At(entry, {"active_state", section.resource});
          const Json& resource = active.is_null() ? At(entry, section.resource) : active;
          if (!resource.is_object()) continue;
          out.push_back(resource);
          if (what == "secret" && !out.back().contains("name")) out.back()["name"] = Text(entry, {"name"});
        }
    }
  }
  return out;
}

Table ConfigTable(const std::string& what, const Json& resources) {
  Table table;
  const auto fill = [&](std::vector<std::string> columns, void (*add)(const Json&, Table&)) {
    table.columns = std::move(columns);
    for (const Json& resource : resources) add(resource, table);
  };
  if (what == "cluster")
    fill({"SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"}, AddCluster);
  else if (what == "listener")
    fill({"ADDRESSES", "PORT", "MATCH", "DESTINATION"}, AddListener);
  else if (what == "route")
    fill({"NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"}, AddRoute);
  else if (what == "endpoint")
    fill({"ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"}, AddEndpoints);
  else
    fill({"RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"}, AddSecret);
  // Routes stay in the order in which they are tried.
  if (what != "route") std::sort(table.rows.begin(), table.rows.end());
  return table;
}

}  // namespace plait::cli
