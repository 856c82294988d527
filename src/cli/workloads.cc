#include "cli/workloads.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/base/proxy_ports.h"
#include "core/base/which_pod.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

Outcome<io::UniqueFd> DialAdmin(const MeshOptions& mesh, const std::string& workload) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return std::unexpected(client.error());
  return client->Dial(workload, proxy_ports::kAdmin);
}

}  // namespace

std::string Named(const MeshOptions& mesh) { return local::Named(mesh.name); }

Outcome<local::ControlClient> ConnectTo(const MeshOptions& mesh) {
  Outcome<local::MeshPaths> paths = local::ResolvePaths(mesh.name);
  if (!paths) return std::unexpected(paths.error());
  return local::ControlClient::Connect(*paths);
}

Outcome<local::MeshStatus> StatusOf(const MeshOptions& mesh) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return std::unexpected(client.error());
  return client->Status();
}

Outcome<std::string> AskControlPlane(const local::MeshStatus& status, const std::string& path, Duration patience) {
  return HttpGet(status.debug_url + path, patience);
}

Outcome<Positions> AskPositions(const local::MeshStatus& status) {
  constexpr Duration kPlacePatience = std::chrono::seconds(2);
  const Outcome<std::string> text = AskControlPlane(status, "/debug/configz", kPlacePatience);
  if (!text) return std::unexpected(text.error());
  return PositionsOf(Json::parse(*text, nullptr, false));
}

Outcome<std::string> AskProxy(const MeshOptions& mesh, const std::string& workload, const std::string& path,
                              Duration patience) {
  Outcome<io::UniqueFd> socket = DialAdmin(mesh, workload);
  if (!socket) return std::unexpected(socket.error());
  return HttpGetOver(std::move(*socket), path, "the proxy of " + workload, patience);
}

Outcome<Json> AskProxyForJson(const MeshOptions& mesh, const std::string& workload, const std::string& path,
                              Duration patience) {
  const Outcome<std::string> text = AskProxy(mesh, workload, path, patience);
  if (!text) return std::unexpected(text.error());
  Json answer = Json::parse(*text, nullptr, false);
  if (!answer.is_structured()) return Explain(Errc::kInternal, "the answer of " + workload + " is not JSON");
  return answer;
}

Outcome<std::string> PostToProxy(const MeshOptions& mesh, const std::string& workload, const std::string& path) {
  Outcome<io::UniqueFd> socket = DialAdmin(mesh, workload);
  if (!socket) return std::unexpected(socket.error());
  return HttpPostOver(std::move(*socket), path, "the proxy of " + workload);
}

bool HasProxy(const local::WorkloadStatus& workload) {
  return workload.proxy == "sidecar" || workload.proxy == "gateway";
}

bool IsOver(const local::WorkloadStatus& workload) {
  return workload.phase == "Succeeded" || workload.phase == "Failed";
}

std::string IdentityOf(const local::MeshStatus& status, const local::WorkloadStatus& workload) {
  return "spiffe://" + status.trust_domain + "/ns/" + workload.ns + "/sa/" + workload.service_account;
}

Outcome<local::WorkloadStatus> FindWorkload(const local::MeshStatus& status, const std::string& workload) {
  std::vector<PodName> names;
  for (const local::WorkloadStatus& w : status.workloads)
    names.push_back({.name = w.name, .owner = w.owner, .ns = w.ns, .rank = w.ready ? 1 : 0});
  const Outcome<std::size_t> found = WhichPod(names, workload);
  if (!found) return std::unexpected(found.error());
  return status.workloads[*found];
}

std::string LogPathOf(const local::MeshStatus& status, const local::WorkloadStatus& pod, const std::string& container) {
  std::string which = container;
  if (which.empty()) which = pod.containers.empty() ? "istio-proxy" : pod.containers.front().name;
  return status.run_dir + "/logs/" + pod.ns + "/" + pod.name + "/" + which + ".log";
}

std::optional<std::string> OwnLogPath(const local::MeshStatus& status, const std::string& workload) {
  for (const char* own : {"plaitd", "supervisor"})
    if (workload == own || workload == std::string(own) + ".plait-system")
      return status.run_dir + "/logs/plait-system/" + own + "/" + own + ".log";
  return std::nullopt;
}

}  // namespace plait::cli
