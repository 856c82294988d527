#include "control/translate/gateway_servers.h"

#include <algorithm>

#include "control/model/hosts.h"
#include "core/base/strings.h"

namespace plait::control::translate {
namespace {
using Protocol = model::GatewayServer::Protocol;

std::string RouteNameOf(const model::Gateway& gateway, const model::GatewayServer& server) {
  const std::string port = std::to_string(server.port);
  if (server.protocol == Protocol::kHttp) return "http." + port + (server.bind.empty() ? "" : "." + server.bind);
  if (server.protocol == Protocol::kHttps && !server.tls.PassesOn())
    return "https." + port + "." + server.port_name + "." + gateway.meta.name() + "." + gateway.meta.name_space();
  return {};
}

// "ns/host" or "host" -> namespace ("*" when any) and host.
std::pair<std::string, std::string> SplitHost(const model::Gateway& gateway, const std::string& host) {
  const auto slash = host.find('/');
  if (slash == std::string::npos) return {"*", host};
  const std::string name_space = host.substr(0, slash);
  return {name_space == "." ? gateway.meta.name_space() : name_space, host.substr(slash + 1)};
}
}  // namespace

std::vector<ServerView> ServersOf(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<ServerView> out;
  for (const model::Gateway* gateway : snapshot.GatewaysOf(proxy.labels))
    for (const model::GatewayServer& server : gateway->servers)
      out.push_back({gateway, &server, RouteNameOf(*gateway, server)});
  return out;
}

std::vector<std::string> ServerHosts(const ServerView& server) {
  std::vector<std::string> out;
  for (const std::string& host : server.server->hosts) out.push_back(SplitHost(*server.gateway, host).second);
  return out;
}

std::vector<std::string> SharedHosts(const ServerView& server, const model::VirtualService& rule,
                                     std::string_view cluster_domain) {
  std::vector<std::string> out;
  for (const std::string& written : rule.hosts) {
    const std::string host = model::ResolveHost(written, rule.meta.name_space(), cluster_domain);
    for (const std::string& offered : server.server->hosts) {
      const auto [name_space, pattern] = SplitHost(*server.gateway, offered);
      if (name_space != "*" && name_space != rule.meta.name_space()) continue;
      if (!model::HostsOverlap(pattern, host)) continue;
      const bool host_narrower =
          model::IsWildcard(pattern) && (!model::IsWildcard(host) || host.size() >= pattern.size());
      const std::string& shared = host_narrower ? host : pattern;
      if (std::find(out.begin(), out.end(), shared) == out.end()) out.push_back(shared);
    }
  }
  return out;
}

bool PassesOn(const ServerView& server, const model::ServiceView& service) {
  if (!server.server->IsTls() || server.server->tls.mode != model::GatewayTls::Mode::kAutoPassthrough) return false;
  // What is outside the mesh ends no mutual TLS, and what has no endpoints of its own is not behind this gateway.
  if (service.alias_of || service.mesh_external || service.resolution == model::ServiceView::Resolution::kPassthrough)
    return false;
  if (model::IsWildcard(service.hostname)) return false;  // no server name
  return std::any_of(server.server->hosts.begin(), server.server->hosts.end(), [&](const std::string& offered) {
    const auto [name_space, pattern] = SplitHost(*server.gateway, offered);
    return (name_space == "*" || name_space == service.name_space) &&
           model::HostMatches(ToLower(pattern), service.hostname);
  });
}

bool PassesOn(const model::Proxy& proxy, const model::Snapshot& snapshot, const model::ServiceView& service) {
  if (proxy.type != model::Proxy::Type::kRouter) return false;
  const std::vector<ServerView> servers = ServersOf(proxy, snapshot);
  return std::any_of(servers.begin(), servers.end(),
                     [&](const ServerView& server) { return PassesOn(server, service); });
}

}  // namespace plait::control::translate
