// plait version: this program, the control plane, and how many proxies of which version.
#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/json_access.h"
#include "cli/verbs.h"
#include "cli/versions.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

Versions VersionsOf(const MeshOptions& mesh) {
  Versions versions{.client = PLAIT_VERSION};
  const Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return versions;
  const auto info_of = [&](const std::string& proxy) {
    return AskProxyForJson(mesh, proxy, "/server_info", kShortPatience);
  };
  Json proxies;
  const Outcome<std::string> text = AskControlPlane(*status, "/version", kShortPatience);
  if (text) {
    const Json answer = Json::parse(*text, nullptr, false);
    versions.control_plane = answer.is_object() ? Text(answer, {"version"}) : *text;
    const Outcome<std::string> connected = AskControlPlane(*status, "/debug/syncz", kShortPatience);
    proxies = connected ? ProxiesIn(Json::parse(*connected, nullptr, false), *status) : ProxiesOf(*status, info_of);
  } else {
    versions.control_error = text.error().message;
    proxies = ProxiesOf(*status, info_of);
  }
  for (const Json& proxy : proxies)
    if (Text(proxy, {"program"}) != "envoy") ++versions.proxies[Text(proxy, {"istio_version"})];
  versions.envoys = EnvoyVersions(proxies, info_of);
  return versions;
}

}  // namespace

Command VersionCommand(MeshOptions& mesh) {
  return {.name = "version", .summary = "versions of this program, the control plane and the proxies", .run = [&mesh] {
            return Show(mesh.format, VersionsOutput(VersionsOf(mesh), Named(mesh)));
          }};
}

}  // namespace plait::cli
