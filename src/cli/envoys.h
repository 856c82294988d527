#pragma once
// Workloads whose proxy is a stock Envoy (annotation plait.dev/proxy: envoy), as commands tell of them. Beside each
// stands a plait-proxy that keeps its identity; the control plane knows that one as POD-identity. Pure.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/render.h"
#include "core/base/result.h"
#include "local/mesh_status.h"

namespace plait::cli {

// "details-v1-0.default"; null: there is none.
const local::WorkloadStatus* FindPod(const local::MeshStatus& status, std::string_view pod);
bool HasEnvoy(const local::WorkloadStatus& workload);
// "details-v1-0.default": the proxy of a workload, as the control plane names it, or the pod.
bool IsEnvoy(const local::MeshStatus& status, std::string_view proxy);
// Of plaitd's /debug/syncz: the proxies that take connections, so not those that keep an Envoy's identity. An Envoy's
// entry has {"program": "envoy"}.
Json ProxiesIn(const Json& syncz, const local::MeshStatus& status);
// Of an Envoy's /server_info: "0.../1.38.0/Clean/RELEASE/BoringSSL" is 1.38.0; what is no such text stays as it is.
std::string EnvoyVersion(const Json& server_info);
// How many Envoys of `proxies` (ProxiesIn) have which version, as `ask` says the /server_info of one. Each that does
// not answer takes its time, so after the first the rest are "unknown" without being asked.
std::map<std::string, int> EnvoyVersions(const Json& proxies,
                                         const std::function<Outcome<Json>(const std::string& proxy)>& ask);
// Of an Envoy's /config_dump?resource=dynamic_active_secrets: the serial numbers of the certificates of `secret`
// (`default`, `ROOTCA`), in their order.
std::vector<std::string> SerialsIn(const Json& secrets, std::string_view secret);
// What to do about a question to `plait explain` (`words`: of a shell) that an Envoy cannot answer.
std::string AskOffline(const local::MeshStatus& status, const std::string& words);

}  // namespace plait::cli
