#include "control/serve/object_events.h"

#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/serve/difference.h"

namespace plait::control::serve {
namespace {

using model::Kind;
using model::Workload;

constexpr std::string_view kAdd = "add";
constexpr std::string_view kUpdate = "update";
constexpr std::string_view kDelete = "delete";
constexpr std::string_view kRegistry = "pilot_k8s_reg_events";
constexpr std::string_view kConfig = "pilot_k8s_cfg_events";

// Pods are counted by what runs: most stand in no file.
void CountObject(const model::AnyObject& object, std::string_view event, Metrics& metrics) {
  const auto count = [&](std::string_view family, std::string_view type) {
    metrics.Add(family, {{"type", type}, {"event", event}});
  };
  const Kind kind = model::MetaOf(object).key.kind;
  switch (kind) {
    case Kind::kService: return count(kRegistry, "Services");
    case Kind::kNamespace: return count(kRegistry, "Namespaces");
    case Kind::kNode: return count(kRegistry, "Nodes");
    case Kind::kEndpointSlice:
    case Kind::kEndpoints: return count(kRegistry, "EndpointSlice");
    case Kind::kVirtualService:
    case Kind::kDestinationRule:
    case Kind::kGateway:
    case Kind::kServiceEntry:
    case Kind::kPeerAuthentication:
    case Kind::kAuthorizationPolicy:
    case Kind::kRequestAuthentication: return count(kConfig, model::KindName(kind));
    case Kind::kServiceAccount:
    case Kind::kPod:
    case Kind::kDeployment:
    case Kind::kStatefulSet:
    case Kind::kJob:
    case Kind::kConfigMap:
    case Kind::kSecret: return;
  }
}

void CountPods(const std::vector<Workload>& before, const std::vector<Workload>& now, Metrics& metrics) {
  if (&before == &now) return;  // as after an edit: no file says which pods run
  const auto count = [&](std::string_view event) { metrics.Add(kRegistry, {{"type", "Pods"}, {"event", event}}); };
  std::unordered_map<std::string_view, const Workload*> known;  // by uid
  for (const Workload& pod : before) known.emplace(pod.uid, &pod);
  for (const Workload& pod : now) {
    const auto found = known.find(pod.uid);
    if (found == known.end()) {
      count(kAdd);
      continue;
    }
    if (!(*found->second == pod)) count(kUpdate);
    known.erase(found);
  }
  for (std::size_t gone = known.size(); gone > 0; --gone) count(kDelete);
}

}  // namespace

void CountEvents(const model::Snapshot* before, const model::Snapshot& now, Metrics& metrics) {
  static const std::vector<model::ObjectRef> kNoObjects;
  static const std::vector<Workload> kNoPods;
  const auto count = [&](std::string_view event) {
    return [&metrics, event](const model::AnyObject& object) { CountObject(object, event, metrics); };
  };
  WalkObjects(before != nullptr ? before->objects() : kNoObjects, now.objects(), count(kAdd), count(kDelete),
              count(kUpdate));
  CountPods(before != nullptr ? before->workloads() : kNoPods, now.workloads(), metrics);
}

}  // namespace plait::control::serve
