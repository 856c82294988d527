// plait ps (proxy-status): what each proxy has acknowledged, in istioctl's columns, from plaitd's /debug/syncz.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/gateways.h"
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
  Outcome<std::string> text = AskControlPlane(*status, "/debug/syncz", kShortPatience);
  if (!text) {
    text.error().hint = "plait logs" + Named(mesh) + " plaitd; plait check" + Named(mesh);
    return Report(text.error());
  }
  const Json syncz = Json::parse(*text, nullptr, false);
  if (!syncz.is_array()) return Report({.code = Errc::kInternal, .message = "plaitd's /debug/syncz is not a list"});
  Json proxies = ProxiesIn(syncz, *status);
  AddNotConnected(proxies, *status);
  Output output{
      .table = ProxyTable(proxies, SystemClock().Wall()), .data = Data(proxies), .warnings = Refusals(proxies)};
  // Of a listener whose port was taken the proxy learns after it has acknowledged it.
  const std::vector<std::string> refused = output.warnings;
  for (const GatewayDump& gateway : AskGateways(mesh, *status))
    for (const std::string& failure : ListenerFailures(*gateway.dump))
      if (std::none_of(refused.begin(), refused.end(),
                       [&](const std::string& known) { return known.find(failure) != std::string::npos; }))
        output.warnings.push_back(NotServed(gateway.workload, failure));
  bool unsent = false;
  std::string away;  // the first that is not connected
  for (const auto& row : output.table.rows) {
    output.names.push_back("proxy/" + row.front());
    unsent = unsent || std::find(row.begin(), row.end(), kNotSent) != row.end();
    if (away.empty() && std::find(row.begin(), row.end(), kNotConnected) != row.end()) away = row.front();
  }
  const int code = Show(mesh.format, output);
  if (unsent && IsTold(mesh.format))
    Say("NOT SENT: the proxy has not subscribed to it, as is normal until its application asks for a destination; a "
        "gateway needs no INDEX");
  if (!away.empty() && IsTold(mesh.format))
    Say("NOT CONNECTED: the proxy goes on with what it has, until it reaches the control plane again; if it does not: "
        "plait logs" +
        Named(mesh) + " -c istio-proxy " + away);
  return code;
}

}  // namespace

Command ProxyStatusCommand(MeshOptions& mesh) {
  return {.name = "proxy-status", .aliases = {"ps"}, .summary = "what each proxy has acknowledged", .run = [&mesh] {
            return ProxyStatus(mesh);
          }};
}

}  // namespace plait::cli
