#include "control/model/unread_kinds.h"

#include <algorithm>

#include "control/model/known_kinds.h"

namespace plait::control::model {
namespace {

constexpr std::string_view kNothingDenied = "it denies nothing here: write an AuthorizationPolicy of security.istio.io";
constexpr std::string_view kNothingLed =
    "it leads nothing here: write a Gateway and a VirtualService of networking.istio.io";
constexpr std::string_view kNothingRuns = "its pods do not run; those of a Deployment, StatefulSet or Job do";
constexpr std::string_view kOwnMeshConfig = "its meshConfig belongs in the ConfigMap istio of namespace istio-system";

struct Entry {
  std::string_view group;
  std::string_view kind;
  UnreadKind what = {};
};
constexpr Entry kEntries[] = {
    {"networking.istio.io", "EnvoyFilter", {.warned = true}},
    {"networking.istio.io", "ProxyConfig", {.warned = true}},
    {"networking.istio.io", "Sidecar", {.warned = true}},
    {"networking.istio.io", "WorkloadEntry", {.warned = true}},
    {"networking.istio.io", "WorkloadGroup", {.warned = true}},
    {"telemetry.istio.io", "Telemetry", {.warned = true}},
    {"extensions.istio.io", "WasmPlugin", {.warned = true}},
    {"install.istio.io", "IstioOperator", {.warned = true, .hint = kOwnMeshConfig}},
    {"networking.k8s.io", "Ingress", {.warned = true, .hint = kNothingLed}},
    {"extensions", "Ingress", {.warned = true, .hint = kNothingLed}},
    {"apps", "DaemonSet", {.warned = true, .hint = kNothingRuns}},
    {"apps", "ReplicaSet", {.warned = true, .hint = kNothingRuns}},
    {"", "ReplicationController", {.warned = true, .hint = kNothingRuns}},
    {"batch", "CronJob", {.warned = true, .hint = kNothingRuns}},
    {"kustomize.config.k8s.io", "Kustomization", {.warned = true, .hint = kRenderKustomization}},
    {"kustomize.config.k8s.io", "Component", {.warned = true, .hint = kRenderKustomization}},
    {"", "Event"},
    {"", "LimitRange"},
    {"", "PersistentVolume"},
    {"", "PersistentVolumeClaim"},
    {"", "PodTemplate"},
    {"", "ResourceQuota"},
    {"apps", "ControllerRevision"},
};

// The Gateway API and what belongs to it, whatever its kinds.
bool IsGatewayApi(std::string_view group) noexcept {
  return group.ends_with(".networking.k8s.io") || group.ends_with(".networking.x-k8s.io");
}

}  // namespace

std::optional<UnreadKind> FindUnreadKind(std::string_view group, std::string_view kind) noexcept {
  const auto* const entry =
      std::ranges::find_if(kEntries, [&](const Entry& known) { return known.group == group && known.kind == kind; });
  if (entry != std::end(kEntries)) return entry->what;
  if (group.ends_with(".istio.io")) return std::nullopt;
  // Kubernetes' own, and those by which Calico, Cilium and others say more.
  if (kind.ends_with("NetworkPolicy")) return UnreadKind{.warned = true, .hint = kNothingDenied};
  if (IsGatewayApi(group)) return UnreadKind{.warned = true, .hint = kNothingLed};
  return std::nullopt;
}

std::vector<UnreadIstioKind> UnreadIstioKinds() {
  std::vector<UnreadIstioKind> out;
  for (const Entry& entry : kEntries)
    if (entry.group.ends_with(".istio.io")) out.push_back({entry.group, entry.kind});
  return out;
}

}  // namespace plait::control::model
