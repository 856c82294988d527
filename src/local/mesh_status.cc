#include "local/mesh_status.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"

namespace plait::local {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<ContainerStatus>& containers) {
  Json out = Json::array();
  for (const ContainerStatus& c : containers) {
    out.push_back({{"name", c.name}, {"state", c.state}, {"pid", c.pid}, {"restarts", c.restarts}, {"ready", c.ready}});
    if (c.sidecar) out.back()["sidecar"] = true;
  }
  return out;
}

std::vector<ContainerStatus> ContainersOf(const Json& workload, const char* key) {
  std::vector<ContainerStatus> out;
  for (const Json& c : workload.value(key, Json::array()))
    out.push_back({c.value("name", ""), c.value("state", ""), c.value("pid", 0), c.value("restarts", 0),
                   c.value("ready", false), c.value("sidecar", false)});
  return out;
}

Json ToJson(const WorkloadStatus& w) {
  Json capture = Json::object();
  for (const auto& [name, value] : w.capture) capture[name] = value;
  return {{"name", w.name},
          {"namespace", w.ns},
          {"deployment", w.owner},
          {"owner_kind", w.owner_kind},
          {"completions", w.completions},
          {"service_account", w.service_account},
          {"ip", w.ip},
          {"ips", w.ips},
          {"pid", w.pid},
          {"proxy_pid", w.proxy_pid},
          {"proxy", w.proxy},
          {"proxy_program", w.proxy_program},
          {"ready", w.ready},
          {"phase", w.phase},
          {"restarts", w.restarts},
          {"reason", w.reason},
          {"capture", capture},
          {"init_containers", ToJson(w.init_containers)},
          {"containers", ToJson(w.containers)}};
}

WorkloadStatus WorkloadOf(const Json& json) {
  WorkloadStatus w{.name = json.value("name", ""),
                   .ns = json.value("namespace", ""),
                   .owner = json.value("deployment", ""),
                   .owner_kind = json.value("owner_kind", ""),
                   .completions = json.value("completions", 1),
                   .service_account = json.value("service_account", ""),
                   .ip = json.value("ip", ""),
                   .ips = json.value("ips", std::vector<std::string>{}),
                   .pid = json.value("pid", 0),
                   .proxy_pid = json.value("proxy_pid", 0),
                   .proxy = json.value("proxy", ""),
                   .proxy_program = json.value("proxy_program", ""),
                   .ready = json.value("ready", false),
                   .phase = json.value("phase", ""),
                   .restarts = json.value("restarts", 0),
                   .reason = json.value("reason", ""),
                   .capture = {},
                   .init_containers = ContainersOf(json, "init_containers"),
                   .containers = ContainersOf(json, "containers")};
  const Json capture = json.value("capture", Json::object());
  for (const auto& [name, value] : capture.items())
    if (value.is_string()) w.capture.emplace_back(name, value.get<std::string>());
  return w;
}

MeshStatus StatusOf(const Json& json) {
  MeshStatus out;
  out.name = json.value("name", "");
  out.state = json.value("state", "");
  out.mode = json.value("mode", "");
  out.mode_reason = json.value("mode_reason", "");
  out.limits = json.value("limits", std::vector<std::string>{});
  out.defaults = json.value("defaults", std::vector<std::string>{});
  out.url = json.value("url", "");
  out.debug_url = json.value("debug_url", "");
  out.directory = json.value("directory", "");
  out.run_dir = json.value("run_dir", "");
  out.state_dir = json.value("state_dir", "");
  out.trust_domain = json.value("trust_domain", "");
  out.plaitd_pid = json.value("plaitd_pid", 0);
  out.messages = json.value("messages", std::vector<std::string>{});
  for (const Json& port : json.value("gateway_ports", Json::array()))
    out.gateway_ports.push_back(
        {Port{port.value("port", std::uint16_t{0})}, Port{port.value("host_port", std::uint16_t{0})}});
  for (const Json& workload : json.value("workloads", Json::array())) out.workloads.push_back(WorkloadOf(workload));
  return out;
}

}  // namespace

std::string EncodeMeshStatus(const MeshStatus& status) {
  Json workloads = Json::array();
  for (const WorkloadStatus& workload : status.workloads) workloads.push_back(ToJson(workload));
  Json ports = Json::array();
  for (const GatewayPortStatus& port : status.gateway_ports)
    ports.push_back({{"port", port.port.value}, {"host_port", port.host_port.value}});
  const Json json = {{"name", status.name},
                     {"state", status.state},
                     {"mode", status.mode},
                     {"mode_reason", status.mode_reason},
                     {"limits", status.limits},
                     {"defaults", status.defaults},
                     {"url", status.url},
                     {"debug_url", status.debug_url},
                     {"directory", status.directory},
                     {"run_dir", status.run_dir},
                     {"state_dir", status.state_dir},
                     {"trust_domain", status.trust_domain},
                     {"plaitd_pid", status.plaitd_pid},
                     {"gateway_ports", ports},
                     {"messages", status.messages},
                     {"workloads", workloads}};
  return JsonText(json, 2);
}

Outcome<MeshStatus> DecodeMeshStatus(std::string_view text) {
  const char* const next = "the supervisor may be of another version: `plait down` and `plait up`";
  try {
    const Json json = ParseJsonMessage<Json>(text);
    if (!json.is_object()) return Explain(Errc::kInternal, "the mesh gave a status that cannot be read", next);
    return StatusOf(json);
  } catch (const Json::exception& wrong) {
    return Explain(Errc::kInternal, std::string("the mesh gave a status that cannot be read: ") + wrong.what(), next);
  }
}

}  // namespace plait::local
