#include "cli/versions.h"

#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/json_access.h"
#include "cli/workloads.h"

namespace plait::cli {

Output VersionsOutput(const Versions& versions, const std::string& named) {
  Json data = {{"client", versions.client}};
  Output output{.table = {{"COMPONENT", "VERSION", "COUNT"}, {{"client", versions.client, "1"}}}};
  output.names.push_back("client/" + versions.client);
  if (!versions.control_plane.empty()) {
    output.table.rows.push_back({"control plane", versions.control_plane, "1"});
    output.names.push_back("controlplane/" + versions.control_plane);
    data["control_plane"] = versions.control_plane;
  } else if (!versions.control_error.empty()) {
    output.table.rows.push_back({"control plane", "unreachable", "1"});
    data["control_plane_error"] = versions.control_error;
    output.warnings.push_back("the version of the control plane cannot be told: " + versions.control_error +
                              "; its log may say why: plait logs" + named + " plaitd");
  }
  data["data_plane"] = Json::array();
  const auto add = [&](const char* component, const char* program, const std::map<std::string, int>& counts) {
    for (const auto& [version, count] : counts) {
      output.table.rows.push_back({component, version, std::to_string(count)});
      data["data_plane"].push_back({{"program", program}, {"version", version}, {"proxies", count}});
      output.names.push_back("dataplane/" + version);
    }
  };
  add("data plane", "plait-proxy", versions.proxies);
  add("data plane (Envoy)", "envoy", versions.envoys);
  if (versions.proxies.contains("unknown") || versions.envoys.contains("unknown"))
    output.warnings.push_back("plait check" + named + " says which proxies do not answer");
  output.data = Data(std::move(data));
  return output;
}

Json ProxiesOf(const local::MeshStatus& status, const std::function<Outcome<Json>(const std::string& proxy)>& ask) {
  Json out = Json::array();
  bool silent = false;
  for (const local::WorkloadStatus& workload : status.workloads) {
    if (!HasProxy(workload) || workload.proxy_pid == 0) continue;
    const std::string name = workload.name + "." + workload.ns;
    if (HasEnvoy(workload)) {
      out.push_back({{"proxy", name}, {"program", "envoy"}});
      continue;
    }
    std::string version = "unknown";
    if (!silent) {
      const Outcome<Json> info = ask(name);
      silent = !info;
      if (info) version = Text(*info, {"version"});
    }
    out.push_back({{"proxy", name}, {"istio_version", version}});
  }
  return out;
}

}  // namespace plait::cli
