#include "cli/config_tables.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "cli/config_dump.h"
#include "cli/json_access.h"
#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/base/time.h"
#include "core/tls/certificate.h"

namespace plait::cli {
namespace {

// "10.244.0.3:9080", "unix:///run/server.sock"
std::string AddressAndPort(const Json& address) {
  const std::string port = PortOf(address);
  return AddressOf(address) + (port.empty() ? "" : ":" + port);
}

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
  const ClusterName name = SplitClusterName(Text(cluster, {"name"}));
  const std::string type = Text(cluster, {"type"});
  const bool tls = !At(cluster, "transport_socket").is_null() || !At(cluster, "transport_socket_matches").is_null();
  // Of /clusters, or of a dump with a mask, there may be the name alone.
  const bool known = cluster.size() > (cluster.contains("@type") ? 2U : 1U);
  table.rows.push_back({OrDash(name.fqdn), OrDash(name.port), OrDash(name.subset), OrDash(name.direction),
                        OrDash(type.empty() ? Text(cluster, {"cluster_type", "name"}) : type), ConfigObject(cluster),
                        OrDash(Text(cluster, {"lb_policy"})),
                        tls     ? "yes"
                        : known ? "no"
                                : "-"});
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
    table.rows.push_back({addresses, port, MatchOf(At(chain, "filter_chain_match")), DestinationOf(chain),
                          Text(listener, {"name"}), OrDash(Text(listener, {"traffic_direction"}))});
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

// "=jason", "=j*", "=regex j.*" of a StringMatcher; "" when it has no pattern.
std::string ValueMatch(const Json& matcher) {
  for (const auto& [field, before, after] : {std::tuple{"exact", "", ""}, std::tuple{"prefix", "", "*"},
                                             std::tuple{"suffix", "*", ""}, std::tuple{"contains", "*", "*"}})
    if (const Json& text = At(matcher, field); text.is_string())
      return "=" + (before + text.get<std::string>() + after) +
             (At(matcher, "ignore_case") == true ? " (any case)" : "");
  const std::string regex = Text(matcher, {"safe_regex", "regex"});
  return regex.empty() ? "" : "=regex " + regex;
}

// "end-user=jason", "!x-test" of a HeaderMatcher or QueryParameterMatcher: a name alone must be there, with whatever
// value. The forms that Envoy had before string_match are in dumps of older ones.
std::string FieldMatch(const Json& matcher, const std::string& name) {
  std::string value = ValueMatch(At(matcher, "string_match"));
  for (const char* form : {"exact", "prefix", "suffix", "contains", "safe_regex"})
    if (const Json& old = At(matcher, std::string(form) + "_match"); value.empty() && !old.is_null())
      value = ValueMatch({{form, old}});
  if (const Json& range = At(matcher, "range_match"); range.is_object())
    value = "=" + Text(range, {"start"}) + ".." + Text(range, {"end"});
  const bool absent = value.empty() && At(matcher, "present_match") == false;
  return (absent != (At(matcher, "invert_match") == true) ? "!" : "") + name + value;
}

// What a request must have beside the path: "; Method: GET; Header: end-user=jason; Query: page=1", as the matches of
// listeners are told.
std::string Conditions(const Json& match) {
  std::string method;
  std::string headers;
  std::string query;
  for (const Json& header : At(match, "headers")) {
    const std::string name = Text(header, {"name"});
    const std::string text = FieldMatch(header, name);
    if (text.starts_with(":method="))
      method = "; Method: " + text.substr(8);
    else
      headers += (headers.empty() ? "; Header: " : ", ") + text;
  }
  for (const Json& parameter : At(match, "query_parameters"))
    query += (query.empty() ? "; Query: " : ", ") + FieldMatch(parameter, Text(parameter, {"name"}));
  return method + headers + query;
}

// "outbound|9080|v2|reviews (80), ...": the cluster, or the weighted ones.
std::string ClustersOf(const Json& action) {
  std::string out = Text(action, {"cluster"});
  for (const Json& one : At(action, {"weighted_clusters", "clusters"}))
    out += (out.empty() ? "" : ", ") + Text(one, {"name"}) + " (" + Text(one, {"weight"}) + ")";
  return OrDash(out);
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
      table.rows.push_back({Text(config, {"name"}), Text(host, {"name"}), domains,
                            PathMatch(At(route, "match")) + Conditions(At(route, "match")), object,
                            ClustersOf(At(route, "route")), OrDash(Text(route, {"route", "timeout"}))});
    }
  }
}

// "region/zone/subzone", as far as it goes.
std::string LocalityOf(const Json& locality) {
  std::string out = Text(locality, {"region"});
  const std::string zone = Text(locality, {"zone"}), sub_zone = Text(locality, {"sub_zone"});
  if (!zone.empty() || !sub_zone.empty()) out += "/" + zone;
  return sub_zone.empty() ? out : out + "/" + sub_zone;
}

void AddEndpoints(const Json& assignment, Table& table) {
  for (const Json& locality : At(assignment, "endpoints")) {
    const std::string priority = Text(locality, {"priority"});  // 0 is left out
    for (const Json& endpoint : At(locality, "lb_endpoints")) {
      table.rows.push_back({AddressAndPort(At(endpoint, {"endpoint", "address"})), HealthOf(endpoint),
                            OutlierCheckOf(endpoint), Text(assignment, {"cluster_name"}),
                            OrDash(Text(endpoint, {"metadata", "filter_metadata", "plait.dev", "identity"})),
                            OrDash(LocalityOf(At(locality, "locality"))), priority.empty() ? "0" : priority,
                            OrDash(Text(endpoint, {"load_balancing_weight"}))});
    }
  }
}

// Certificates in a secret: the chain of its owner, or roots; those of a SPIFFE validator are each of a trust domain.
struct Bundle {
  std::string pem;
  std::string trust_domain = {};
};

std::string PemOf(const Json& data_source) {
  if (const std::string text = Text(data_source, {"inline_string"}); !text.empty()) return text;
  return Base64Decode(Text(data_source, {"inline_bytes"})).value_or("");
}

std::vector<Bundle> BundlesOf(const Json& secret) {
  if (const Json& own = At(secret, "tls_certificate"); own.is_object())
    return {{.pem = PemOf(At(own, "certificate_chain"))}};
  std::vector<Bundle> out;
  const Json& validator = At(secret, {"validation_context", "custom_validator_config", "typed_config"});
  for (const Json& domain : At(validator, "trust_domains"))
    out.push_back({.pem = PemOf(At(domain, "trust_bundle")), .trust_domain = Text(domain, {"name"})});
  const std::string roots = PemOf(At(secret, {"validation_context", "trusted_ca"}));
  if (!roots.empty() || out.empty()) out.push_back({.pem = roots});
  return out;
}

void AddCertificates(const Json& secret, const Bundle& bundle, const std::string& kind, Table& table) {
  // An authority may have no name of its own.
  const std::string domain = bundle.trust_domain.empty() ? "" : "spiffe://" + bundle.trust_domain;
  const auto chain = tls::ReadBundle(bundle.pem);
  if (!chain || chain->empty()) {
    table.rows.push_back(
        {Text(secret, {"name"}), kind, bundle.pem.empty() ? "WARMING" : "ACTIVE", "false", "", "", "", domain});
    return;
  }
  for (const tls::Certificate& certificate : *chain) {
    const WallTime now = SystemClock().Wall();
    const bool valid = certificate.not_before() <= now && now <= certificate.not_after();
    const std::string names = Join(certificate.uri_sans(), ",");
    table.rows.push_back({Text(secret, {"name"}), kind, "ACTIVE", valid ? "true" : "false", certificate.serial(),
                          FormatRfc3339(certificate.not_after()), FormatRfc3339(certificate.not_before()),
                          names.empty() ? domain : names});
    if (kind == "Cert Chain") break;  // the leaf; a CA file may hold several roots
  }
}

void AddSecret(const Json& secret, Table& table) {
  // Of one that has not come yet it is not known.
  const std::string kind = At(secret, "tls_certificate").is_object() ? "Cert Chain"
                           : secret.contains("validation_context")   ? "CA"
                                                                     : "-";
  for (const Bundle& bundle : BundlesOf(secret)) AddCertificates(secret, bundle, kind, table);
}

}  // namespace

Table ConfigTable(const std::string& what, const Json& resources) {
  Table table;
  const auto fill = [&](std::vector<std::string> columns, std::size_t wide, void (*add)(const Json&, Table&)) {
    table.columns = std::move(columns);
    table.wide_columns = wide;
    for (const Json& resource : resources) add(resource, table);
  };
  if (what == "cluster")
    fill({"SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE", "LB POLICY", "TLS"}, 2,
         AddCluster);
  else if (what == "listener")
    fill({"ADDRESSES", "PORT", "MATCH", "DESTINATION", "NAME", "DIRECTION"}, 2, AddListener);
  else if (what == "route")
    fill({"NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE", "CLUSTERS", "TIMEOUT"}, 2, AddRoute);
  else if (what == "endpoint")
    fill({"ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER", "IDENTITY", "LOCALITY", "PRIORITY", "WEIGHT"}, 4,
         AddEndpoints);
  else
    fill({"RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE", "IDENTITY"}, 1,
         AddSecret);
  // Routes stay in the order in which they are tried.
  if (what != "route") std::sort(table.rows.begin(), table.rows.end());
  return table;
}

Table BootstrapTable(const Json& bootstrap) {
  Table table{{"FIELD", "VALUE"}, {}};
  const auto add = [&](const char* field, const std::string& value) {
    if (!value.empty()) table.rows.push_back({field, value});
  };
  add("node", Text(bootstrap, {"node", "id"}));
  add("node cluster", Text(bootstrap, {"node", "cluster"}));
  for (const auto& [key, value] : At(bootstrap, {"node", "metadata"}).items())
    add(("metadata " + key).c_str(), Text(value));
  add("admin", AddressAndPort(At(bootstrap, {"admin", "address"})));
  for (const Json& service : At(bootstrap, {"dynamic_resources", "ads_config", "grpc_services"}))
    add("control plane", Text(service, {"envoy_grpc", "cluster_name"}));
  for (const Json& listener : At(bootstrap, {"static_resources", "listeners"}))
    add("static listener", Text(listener, {"name"}) + " " + AddressAndPort(At(listener, "address")));
  for (const Json& cluster : At(bootstrap, {"static_resources", "clusters"}))
    add("static cluster", Text(cluster, {"name"}));
  return table;
}

}  // namespace plait::cli
