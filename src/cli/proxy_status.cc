// plait ps (proxy-status): what each proxy has acknowledged, in istioctl's columns, from plaitd's /debug/syncz.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/fetch.h"
#include "cli/tables.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

int ProxyStatus(const MeshOptions& mesh) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<local::MeshStatus> status = client->Status();
  if (!status) return Report(status.error());
  Outcome<std::string> text = HttpGet(status->debug_url + "/debug/syncz");
  if (!text) return Report(text.error());
  const Json syncz = Json::parse(*text, nullptr, false);
  if (!syncz.is_array()) return Report({.code = Errc::kInternal, .message = "plaitd's /debug/syncz is not a list"});
  const Json proxies = ProxiesIn(syncz, *status);
  Output output{
      .table = ProxyTable(proxies, SystemClock().Wall()), .data = Data(proxies), .warnings = Refusals(proxies)};
  bool unsent = false;
  for (const auto& row : output.table.rows) {
    output.names.push_back("proxy/" + row.front());
    unsent = unsent || std::find(row.begin(), row.end(), kNotSent) != row.end();
  }
  const int code = Show(mesh.format, output);
  if (unsent && !IsData(mesh.format) && mesh.format != Format::kName)
    Say("NOT SENT: the proxy has not subscribed to it, as is normal until its application asks for a destination; a "
        "gateway needs no INDEX");
  return code;
}

}  // namespace

Command ProxyStatusCommand(MeshOptions& mesh) {
  return {.name = "proxy-status", .aliases = {"ps"}, .summary = "what each proxy has acknowledged", .run = [&mesh] {
            return ProxyStatus(mesh);
          }};
}

}  // namespace plait::cli
