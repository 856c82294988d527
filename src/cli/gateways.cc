#include "cli/gateways.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/config_dump.h"
#include "cli/json_access.h"
#include "cli/shell_word.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

constexpr Duration kPatience = std::chrono::seconds(1);

std::string OneOf(std::string name) {
  if (name.starts_with("*.")) name.replace(0, 1, "www");  // any name below it
  return name;
}

// "" for any host: no name need be given.
std::optional<std::string> HostOf(const Json& virtual_host) {
  for (const Json& domain : At(virtual_host, "domains")) {
    if (domain == "*") return "";
    std::string name = OneOf(Text(domain));
    if (name.ends_with(".*") || name.empty()) continue;
    if (const std::size_t colon = name.rfind(':'); colon != std::string::npos && name.find(']') == std::string::npos)
      name.resize(colon);
    return name;
  }
  return std::nullopt;
}

// The path of a route that a GET alone finds and that leads to a server; nullopt: none such.
std::optional<std::string> PathOf(const Json& route) {
  if (!At(route, "route").is_object()) return std::nullopt;
  const Json& match = At(route, "match");
  for (const char* more : {"query_parameters", "grpc", "runtime_fraction"})
    if (!At(match, more).is_null()) return std::nullopt;
  for (const Json& header : At(match, "headers"))
    if (Text(header, {"name"}) != ":method" || Text(header, {"string_match", "exact"}) != "GET") return std::nullopt;
  for (const char* field : {"path", "prefix", "path_separated_prefix"})
    if (std::string path = Text(match, {field}); path.starts_with('/')) return path;
  return std::nullopt;
}

std::optional<std::string> FirstPath(const Json& virtual_host) {
  for (const Json& route : At(virtual_host, "routes"))
    if (auto path = PathOf(route)) return path;
  return std::nullopt;
}

std::string CommandOf(bool tls, const std::string& host, Port port, std::string path) {
  if (path == "/") path.clear();
  const std::string number = std::to_string(port.value);
  if (!tls && host.empty()) return "http://127.0.0.1:" + number + path;
  if (!tls) return "curl -H " + ShellWord("Host: " + host) + " " + ShellWord("http://127.0.0.1:" + number + path);
  if (host.empty()) return "curl -k " + ShellWord("https://127.0.0.1:" + number + path);
  return "curl -k --resolve " + ShellWord(host + ":" + number + ":127.0.0.1") + " " +
         ShellWord("https://" + host + ":" + number + path);
}

const Json& RoutesOf(const Json& chain, const Json& routes) {
  static const Json kNone;
  for (const Json& filter : At(chain, "filters")) {
    const Json& config = At(filter, "typed_config");
    if (const Json& own = At(config, "route_config"); own.is_object()) return own;
    const std::string name = Text(config, {"rds", "route_config_name"});
    for (const Json& one : routes)
      if (!name.empty() && Text(one, {"name"}) == name) return one;
  }
  return kNone;
}

void AddWays(const Json& listener, const Json& routes, const local::GatewayPortStatus& port, std::vector<WayIn>& out) {
  for (const Json& chain : At(listener, "filter_chains")) {
    const bool tls = At(chain, "transport_socket").is_object();
    const Json& names = At(chain, {"filter_chain_match", "server_names"});
    for (const Json& host : At(RoutesOf(chain, routes), "virtual_hosts")) {
      std::optional<std::string> name = HostOf(host);
      std::optional<std::string> path = FirstPath(host);
      if (!name || !path) continue;
      if (name->empty() && tls && names.is_array() && !names.empty()) name = OneOf(Text(names[0]));
      std::string command = CommandOf(tls, *name, port.host_port, *std::move(path));
      if (std::none_of(out.begin(), out.end(), [&](const WayIn& known) { return known.command == command; }))
        out.push_back({port.port, std::move(command)});
    }
  }
}

}  // namespace

std::vector<GatewayDump> AskGateways(const MeshOptions& mesh, const local::MeshStatus& status) {
  std::vector<GatewayDump> out;
  for (const local::WorkloadStatus& workload : status.workloads) {
    if (workload.proxy != "gateway" || !workload.ready) continue;
    const std::string name = workload.name + "." + workload.ns;
    Outcome<Json> dump = AskProxyForJson(mesh, name, "/config_dump", kPatience);
    if (dump) out.push_back({name, Data(*std::move(dump))});
  }
  return out;
}

std::vector<WayIn> WaysIn(const std::vector<GatewayDump>& gateways,
                          const std::vector<local::GatewayPortStatus>& ports) {
  std::vector<WayIn> out;
  for (const local::GatewayPortStatus& port : ports) {
    if (!port.host_port) continue;
    for (const GatewayDump& gateway : gateways) {
      const Json routes = ResourcesOf(*gateway.dump, "route");
      for (const Json& listener : ResourcesOf(*gateway.dump, "listener"))
        if (PortOf(At(listener, "address")) == std::to_string(port.port.value)) AddWays(listener, routes, port, out);
    }
  }
  return out;
}

std::vector<std::string> ListenerFailures(const Json& dump) {
  std::vector<std::string> out;
  const auto take = [&](const Json& entry) {
    if (std::string why = Text(entry, {"error_state", "details"}); !why.empty()) out.push_back(std::move(why));
  };
  for (const Json& part : At(dump, "configs")) {
    if (Text(part, {"@type"}).ends_with(".ListenersConfigDump.DynamicListener")) take(part);
    for (const Json& entry : At(part, "dynamic_listeners")) take(entry);
  }
  return out;
}

std::string NotServed(const std::string& workload, const std::string& failure) {
  return workload + " does not serve a listener: " + failure;
}

}  // namespace plait::cli
