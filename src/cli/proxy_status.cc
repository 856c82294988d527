// plait ps (proxy-status): what each proxy has acknowledged, in istioctl's columns, from plaitd's /debug/syncz.
#include <nlohmann/json.hpp>

#include "cli/fetch.h"
#include "cli/tables.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {

int ProxyStatus(const MeshOptions& mesh) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<local::MeshStatus> status = client->Status();
  if (!status) return Report(status.error());
  Outcome<std::string> text = HttpGet(status->debug_url + "/debug/syncz");
  if (!text) return Report(text.error());
  const Json proxies = Json::parse(*text, nullptr, false);
  if (!proxies.is_array()) return Report({.code = Errc::kInternal, .message = "plaitd's /debug/syncz is not a list"});
  Render(mesh.format, ProxyTable(proxies), proxies);
  for (const std::string& refusal : Refusals(proxies)) Warn(refusal);
  return kDone;
}

}  // namespace plait::cli
