// plait version: this program, the control plane, and how many proxies of which version, as `istioctl version`.
#include <map>
#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/json_access.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

struct Versions {
  std::string control_plane;                // empty: no mesh runs
  std::map<std::string, int> proxies = {};  // plait-proxies: how many of which
  std::map<std::string, int> envoys = {};
};

Versions VersionsOf(const MeshOptions& mesh) {
  Versions versions;
  const Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return versions;
  if (const Outcome<std::string> text = AskControlPlane(*status, "/version")) {
    const Json answer = Json::parse(*text, nullptr, false);
    versions.control_plane = answer.is_object() ? Text(answer, {"version"}) : *text;
  }
  const Outcome<std::string> text = AskControlPlane(*status, "/debug/syncz");
  const Json proxies = text ? ProxiesIn(Json::parse(*text, nullptr, false), *status) : Json();
  for (const Json& proxy : proxies)
    if (Text(proxy, {"program"}) != "envoy") ++versions.proxies[Text(proxy, {"istio_version"})];
  versions.envoys =
      EnvoyVersions(proxies, [&](const std::string& proxy) { return AskProxyForJson(mesh, proxy, "/server_info"); });
  return versions;
}

int Version(const MeshOptions& mesh) {
  const Versions versions = VersionsOf(mesh);
  Json data_plane = Json::array();
  Output output{.table = {{"COMPONENT", "VERSION", "COUNT"}, {{"client", PLAIT_VERSION, "1"}}}};
  if (!versions.control_plane.empty()) output.table.rows.push_back({"control plane", versions.control_plane, "1"});
  output.names.push_back(std::string("client/") + PLAIT_VERSION);
  if (!versions.control_plane.empty()) output.names.push_back("controlplane/" + versions.control_plane);
  const auto add = [&](const char* component, const char* program, const std::map<std::string, int>& counts) {
    for (const auto& [version, count] : counts) {
      output.table.rows.push_back({component, version, std::to_string(count)});
      data_plane.push_back({{"program", program}, {"version", version}, {"proxies", count}});
      output.names.push_back("dataplane/" + version);
    }
  };
  add("data plane", "plait-proxy", versions.proxies);
  add("data plane (Envoy)", "envoy", versions.envoys);
  Json data = {{"client", PLAIT_VERSION}};
  if (versions.envoys.contains("unknown")) output.warnings.push_back("plait check says which Envoys do not answer");
  if (!versions.control_plane.empty()) data["control_plane"] = versions.control_plane;
  data["data_plane"] = std::move(data_plane);
  output.data = Data(std::move(data));
  return Show(mesh.format, output);
}

}  // namespace

Command VersionCommand(MeshOptions& mesh) {
  return {.name = "version", .summary = "versions of this program, the control plane and the proxies", .run = [&mesh] {
            return Version(mesh);
          }};
}

}  // namespace plait::cli
