#include "control/serve/debug.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/serve/config_dump_codec.h"
#include "core/base/encoding.h"
#include "core/base/json_text.h"
#include "core/base/strings.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::ordered_json;

DebugEndpoints::Query ParseQuery(std::string_view text) {
  DebugEndpoints::Query query;
  for (const std::string_view part : Split(text, '&')) {
    const auto [name, value] = SplitOnce(part, '=');
    const auto decoded = PercentDecode(value.value_or(""));
    if (!name.empty() && decoded) query.emplace(name, *decoded);
  }
  return query;
}

bool IsThisHost(const io::SocketAddress& remote) { return remote.is_unix() || remote.ip.is_loopback(); }

// localhost, an address, or nothing (HTTP/1.0): never a name that somebody else's DNS answers for.
bool IsOwnName(std::string_view authority) {
  std::string_view host = http::HostOnly(authority);
  if (host.empty() || host == "localhost") return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return io::IpAddress::Parse(host).has_value();
}

// Istio's names of the types in /debug/syncz.
constexpr std::pair<std::string_view, std::string_view> kSyncNames[] = {
    {xds::type_url::kCluster, "cluster"}, {xds::type_url::kListener, "listener"},
    {xds::type_url::kRoute, "route"},     {xds::type_url::kEndpoint, "endpoint"},
    {xds::type_url::kSecret, "secret"},   {xds::type_url::kL4Routes, "l4_routes"},
    {xds::type_url::kAddress, "address"},
};

Json TypesJson(const ClientStatus& client) {
  Json types = Json::object();
  for (const auto& [url, type] : client.types) {
    Json& out = types[std::string(xds::type_url::MessageName(url))];
    out = {{"wildcard", type.wildcard},
           {"names", type.names},
           {"resources", type.resources},
           {"sent", type.sent},
           {"resources_sent", type.resources_sent},
           {"removals_sent", type.removals_sent},
           {"acked", type.acked},
           {"nacked", type.nacked},
           {"sent_version", type.sent_version},
           {"acked_version", type.acked_version},
           {"synced", type.synced()}};
    if (!type.last_error.empty()) out["error"] = type.last_error;
    const auto times = client.times.find(url);
    if (times == client.times.end()) continue;
    if (times->second.sent) out["sent_at"] = FormatRfc3339(*times->second.sent);
    if (times->second.answered) out["answered_at"] = FormatRfc3339(*times->second.answered);
  }
  return types;
}

Json ClientJson(const ClientStatus& client) {
  return {{"connectionId", client.proxy->node.id + "-" + std::to_string(client.number)},
          {"proxy", client.proxy->Key()},
          {"identity", client.proxy->identity.ToString()},
          {"connectedAt", FormatRfc3339(client.connected_at)},
          {"address", client.remote},
          {"form", client.form}};
}

conn::Response NotConnected(const std::string& key) {
  return conn::TextResponse(404, "proxy '" + key + "' is not connected; /debug/connections names those that are\n");
}

}  // namespace

conn::Response JsonResponse(std::string body) {
  body += '\n';
  return conn::TextResponse(200, std::move(body), "application/json");
}

DebugEndpoints::DebugEndpoints(const AdsServer& ads, const ca::TokenTable& tokens, Metrics& metrics,
                               DebugOptions options)
    : ads_(ads), tokens_(tokens), metrics_(metrics), options_(std::move(options)) {
  metrics_.Set("pilot_info", {{"version", options_.version}}, 1);
  metrics_.Set("istio_build", {{"component", "pilot"}, {"tag", options_.version}}, 1);
  AddPage("/debug/syncz", "What each proxy was sent and has acknowledged",
          [this](const Query&) { return SyncStatus(); });
  AddPage("/debug/connections", "Connected proxies", [this](const Query&) { return Connections(); });
  AddPage("/debug/adsz", "Connected proxies, what they say of themselves and what they subscribe to",
          [this](const Query&) { return Watches(); });
  AddPage("/debug/edsz", "Endpoints that a proxy has (?proxyID=POD.NAMESPACE)",
          [this](const Query& query) { return EndpointsOf(query); });
  AddPage("/debug/config_dump", "Configuration of a proxy in Envoy's form (?proxyID=POD.NAMESPACE)",
          [this](const Query& query) { return ConfigDump(query); });
  AddPage("/debug", "This page", [this](const Query&) { return Index(); });
  AddPage("/debug/list", "Names of these pages, as JSON", [this](const Query&) { return List(); });
}

void DebugEndpoints::AddPage(std::string path, std::string description, Page answer) {
  pages_.insert_or_assign(std::move(path), Entry{std::move(description), std::move(answer)});
}

void DebugEndpoints::Handle(const conn::Request& request, conn::Responder responder) {
  responder.Send(Answer(request));
}

conn::Response DebugEndpoints::Answer(const conn::Request& request) {
  if (request.head.method != "GET" && request.head.method != "HEAD")
    return conn::TextResponse(405, "only GET is allowed\n");
  std::string_view path = http::PathOnly(request.head.path);
  if (path == "/ready" || path == "/healthz/ready") {
    return ready_ ? conn::TextResponse(200, "") : conn::TextResponse(503, "the configuration has not been read yet\n");
  }
  if (path == "/metrics" || path == "/stats/prometheus") return Scrape();
  if (path == "/version") return Version();
  if (path == "/" || path == "/debug/") path = "/debug";
  const auto page = pages_.find(path);
  if (page == pages_.end()) return conn::TextResponse(404, "no such page; /debug names them\n");
  if (auto refusal = Refusal(request)) return std::move(*refusal);
  return page->second.answer(ParseQuery(http::QueryOf(request.head.path)));
}

std::optional<conn::Response> DebugEndpoints::Refusal(const conn::Request& request) const {
  if (IsThisHost(request.remote)) {
    if (IsOwnName(request.head.authority)) return std::nullopt;
    return conn::TextResponse(
        403, "debug pages are not served under the name '" + request.head.authority + "'; use localhost\n");
  }
  constexpr std::string_view kBearer = "Bearer ";
  const auto given = request.head.headers.Get("authorization");
  const auto* known =
      given && given->starts_with(kBearer) ? tokens_.Find(std::string_view(*given).substr(kBearer.size())) : nullptr;
  if (known == nullptr)
    return conn::TextResponse(401, "debug pages need a bearer token, except from plaitd's own host\n");
  const auto& system = options_.system_namespaces;
  if (std::find(system.begin(), system.end(), known->id.name_space) != system.end()) return std::nullopt;
  return conn::TextResponse(403, "debug pages are for system namespaces only, not for " + known->id.ToString() + "\n");
}

conn::Response DebugEndpoints::SyncStatus() const {
  Json out = Json::array();
  for (const ClientStatus& client : ads_.clients()) {
    const Proxy& proxy = *client.proxy;
    Json entry = {{"cluster_id", proxy.cluster_id.empty() ? options_.cluster_id : proxy.cluster_id},
                  {"proxy", proxy.Key()},
                  {"proxy_type", KindName(proxy.kind)},
                  {"istio_version", proxy.version},
                  {"istiod", "plaitd"}};
    for (const auto& [url, name] : kSyncNames) {
      const auto type = client.types.find(std::string(url));
      if (type == client.types.end()) continue;
      entry[std::string(name) + "_sent"] = type->second.sent_nonce;
      entry[std::string(name) + "_acked"] = type->second.acked_nonce;
    }
    entry["types"] = TypesJson(client);
    out.push_back(std::move(entry));
  }
  return JsonResponse(JsonText(out, 2));
}

conn::Response DebugEndpoints::Connections() const {
  Json clients = Json::array();
  for (const ClientStatus& client : ads_.clients()) clients.push_back(ClientJson(client));
  return JsonResponse(JsonText(Json{{"totalClients", clients.size()}, {"clients", std::move(clients)}}, 2));
}

conn::Response DebugEndpoints::Watches() const {
  Json clients = Json::array();
  for (const ClientStatus& client : ads_.clients()) {
    Json entry = ClientJson(client);
    entry["labels"] = client.proxy->node.labels;
    if (Json metadata = Json::parse(client.proxy->node.metadata_json, nullptr, false); metadata.is_object())
      entry["metadata"] = std::move(metadata);
    Json& watches = entry["watches"] = Json::object();
    for (const auto& [url, type] : client.types) watches[url] = ads_.SubscribedBy(*client.proxy, url);
    clients.push_back(std::move(entry));
  }
  return JsonResponse(JsonText(Json{{"totalClients", clients.size()}, {"clients", std::move(clients)}}, 2));
}

conn::Response DebugEndpoints::ConfigDump(const Query& query) const {
  const auto id = query.find("proxyID");
  if (id == query.end()) return conn::TextResponse(400, "say which proxy: /debug/config_dump?proxyID=POD.NAMESPACE\n");
  std::vector<DumpedType> types;
  for (const auto& [url, name] : kSyncNames) {
    auto resources = ads_.ResourcesOf(id->second, url);
    if (!resources) return NotConnected(id->second);
    types.push_back({.type_url = url, .resources = std::move(*resources)});
  }
  return JsonResponse(DumpConfig(types));
}

conn::Response DebugEndpoints::EndpointsOf(const Query& query) const {
  const auto id = query.find("proxyID");
  if (id == query.end()) return conn::TextResponse(400, "say which proxy: /debug/edsz?proxyID=POD.NAMESPACE\n");
  auto resources = ads_.ResourcesOf(id->second, xds::type_url::kEndpoint);
  if (!resources) return NotConnected(id->second);
  return JsonResponse(DumpResources({.type_url = xds::type_url::kEndpoint, .resources = std::move(*resources)}));
}

conn::Response DebugEndpoints::List() const {
  Json out = Json::array();
  for (const auto& [path, page] : pages_)
    if (path.starts_with("/debug/") && path != "/debug/list") out.push_back(path.substr(7));
  return JsonResponse(JsonText(out));
}

conn::Response DebugEndpoints::Index() const {
  std::string out;
  for (const auto& [path, page] : pages_) out += path + "  " + page.description + "\n";
  out +=
      "/metrics  Prometheus metrics\n/ready  200 once the configuration was read\n/version  Version of this program\n";
  return conn::TextResponse(200, std::move(out));
}

conn::Response DebugEndpoints::Scrape() {
  for (const auto& fill : fill_) fill(metrics_);
  return conn::TextResponse(200, metrics_.Text(), "text/plain; version=0.0.4; charset=utf-8");
}

conn::Response DebugEndpoints::Version() const {
  return JsonResponse(JsonText(Json{{"component", "plaitd"}, {"version", options_.version}}));
}

}  // namespace plait::control::serve
