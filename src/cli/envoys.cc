#include "cli/envoys.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "cli/shell_word.h"
#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/tls/certificate.h"

namespace plait::cli {
namespace {

// "details-v1-0-identity.default", where details-v1-0 has an Envoy. A pod of that very name is a pod.
bool KeepsIdentity(const local::MeshStatus& status, std::string_view proxy) {
  constexpr std::string_view kSuffix = "-identity";
  const std::size_t dot = proxy.rfind('.');
  if (dot == std::string_view::npos || !proxy.substr(0, dot).ends_with(kSuffix) || FindPod(status, proxy)) return false;
  return IsEnvoy(status, std::string(proxy.substr(0, dot - kSuffix.size())) + std::string(proxy.substr(dot)));
}

}  // namespace

const local::WorkloadStatus* FindPod(const local::MeshStatus& status, std::string_view pod) {
  const auto found = std::find_if(status.workloads.begin(), status.workloads.end(),
                                  [&](const local::WorkloadStatus& w) { return w.name + "." + w.ns == pod; });
  return found == status.workloads.end() ? nullptr : &*found;
}

bool HasEnvoy(const local::WorkloadStatus& workload) { return workload.proxy_program == "envoy"; }

bool IsEnvoy(const local::MeshStatus& status, std::string_view proxy) {
  const local::WorkloadStatus* workload = FindPod(status, proxy);
  return workload && HasEnvoy(*workload);
}

Json ProxiesIn(const Json& syncz, const local::MeshStatus& status) {
  Json out = Json::array();
  for (const Json& entry : syncz) {
    const std::string proxy = Text(entry, {"proxy"});
    if (!entry.is_object() || KeepsIdentity(status, proxy)) continue;
    out.push_back(entry);
    if (IsEnvoy(status, proxy)) out.back()["program"] = "envoy";
  }
  return out;
}

std::string EnvoyVersion(const Json& server_info) {
  const std::string text = Text(server_info, {"version"});
  const std::vector<std::string_view> parts = Split(text, '/');
  return parts.size() < 2 ? text : std::string(parts[1]);
}

std::map<std::string, int> EnvoyVersions(const Json& proxies,
                                         const std::function<Outcome<Json>(const std::string& proxy)>& ask) {
  std::map<std::string, int> versions;
  for (const Json& proxy : proxies) {
    if (Text(proxy, {"program"}) != "envoy") continue;
    std::string version = "unknown";
    if (!versions.contains(version)) {
      const Outcome<Json> info = ask(Text(proxy, {"proxy"}));
      if (info) version = EnvoyVersion(*info);
    }
    ++versions[version];
  }
  return versions;
}

std::vector<std::string> SerialsIn(const Json& secrets, std::string_view secret) {
  std::vector<std::string> out;
  for (const Json& one : At(secrets, "configs")) {
    if (Text(one, {"name"}) != secret) continue;
    std::string encoded = Text(one, {"secret", "validation_context", "trusted_ca", "inline_bytes"});
    if (encoded.empty()) encoded = Text(one, {"secret", "tls_certificate", "certificate_chain", "inline_bytes"});
    const auto certificates = tls::ReadBundle(Base64Decode(encoded).value_or(""));
    if (!certificates) continue;
    for (const tls::Certificate& certificate : *certificates) out.push_back(certificate.serial());
  }
  return out;
}

std::string AskOffline(const local::MeshStatus& status, const std::string& words) {
  return "with -f the same policies are asked offline: plait explain -f " + ShellWord(status.directory) + " " + words;
}

}  // namespace plait::cli
