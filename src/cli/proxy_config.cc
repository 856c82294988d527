// plait pc (proxy-config) cluster|listener|route|endpoint|secret WORKLOAD: what its proxy uses, from its admin port.
#include <nlohmann/json.hpp>

#include "cli/config_dump.h"
#include "cli/fetch.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {

int ProxyConfig(const MeshOptions& mesh, const std::string& what, const std::string& workload) {
  constexpr Port kAdmin{15000};
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<io::UniqueFd> socket = client->Dial(workload, kAdmin);
  if (!socket) return Report(socket.error());
  Outcome<std::string> text = HttpGetOver(std::move(*socket), "/config_dump?include_eds", "the proxy of " + workload);
  if (!text) return Report(text.error());
  const Json dump = Json::parse(*text, nullptr, false);
  if (!dump.is_object())
    return Report({.code = Errc::kInternal, .message = "the configuration of " + workload + " is not JSON"});
  const Json resources = ResourcesOf(dump, what);
  Render(mesh.format, ConfigTable(what, resources), resources);
  return kDone;
}

}  // namespace plait::cli
