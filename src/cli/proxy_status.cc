// plait ps (proxy-status): what each proxy has acknowledged, in istioctl's columns, from plaitd's /debug/syncz.
#include <nlohmann/json.hpp>

#include "cli/fetch.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

// istioctl's words: nothing was sent yet, the newest is acknowledged, or it is not.
std::string StateOf(const Json& proxy, const std::string& type) {
  const std::string sent = proxy.value(type + "_sent", "");
  const std::string acked = proxy.value(type + "_acked", "");
  if (sent.empty()) return "NOT SENT";
  return sent == acked ? "SYNCED" : acked.empty() ? "STALE (Never Acknowledged)" : "STALE";
}

Table TableOf(const Json& proxies) {
  Table table{{"NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ISTIOD", "VERSION"}, {}};
  for (const Json& proxy : proxies) {
    table.rows.push_back({proxy.value("proxy", ""), proxy.value("cluster_id", ""), StateOf(proxy, "cluster"),
                          StateOf(proxy, "listener"), StateOf(proxy, "endpoint"), StateOf(proxy, "route"),
                          proxy.value("istiod", "plaitd"), proxy.value("istio_version", "")});
  }
  std::sort(table.rows.begin(), table.rows.end());
  return table;
}

}  // namespace

int ProxyStatus(const MeshOptions& mesh) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<local::MeshStatus> status = client->Status();
  if (!status) return Report(status.error());
  Outcome<std::string> text = HttpGet(status->debug_url + "/debug/syncz");
  if (!text) return Report(text.error());
  const Json proxies = Json::parse(*text, nullptr, false);
  if (!proxies.is_array()) return Report({.code = Errc::kInternal, .message = "plaitd's /debug/syncz is not a list"});
  Render(mesh.format, TableOf(proxies), proxies);
  return kDone;
}

}  // namespace plait::cli
