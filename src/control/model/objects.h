#pragma once
// All configuration objects of a mesh, as read. Shared and immutable; the snapshot is made from them.
#include <algorithm>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "control/model/destination_rule.h"
#include "control/model/gateway.h"
#include "control/model/mesh_config.h"
#include "control/model/security.h"
#include "control/model/service.h"
#include "control/model/virtual_service.h"
#include "control/model/workload.h"

namespace plait::control::model {

struct Namespace {
  Meta meta = {};
  friend bool operator==(const Namespace&, const Namespace&) = default;
};
struct ServiceAccount {
  Meta meta = {};
  friend bool operator==(const ServiceAccount&, const ServiceAccount&) = default;
};
// A machine: where the pods that it is named by stand.
struct Node {
  Meta meta = {};
  std::string locality = {};  // "region/zone/subzone" of its topology labels
  friend bool operator==(const Node&, const Node&) = default;
};
struct ConfigMap {
  Meta meta = {};
  std::map<std::string, std::string> data = {};
  std::map<std::string, std::string> binary_data = {};    // decoded
  std::optional<MeshConfig> mesh = {};                    // of the key `mesh`, when the map is called `istio`
  std::optional<std::vector<MeshNetwork>> networks = {};  // of the key `meshNetworks` of that map
  friend bool operator==(const ConfigMap&, const ConfigMap&) = default;
};
struct Secret {
  Meta meta = {};
  std::string type = {};
  std::map<std::string, std::string> data = {};  // decoded; never logged or dumped
  friend bool operator==(const Secret&, const Secret&) = default;
};

// In the order of Kind.
using AnyObject = std::variant<Namespace, Service, ServiceAccount, Pod, Deployment, StatefulSet, Job, Node,
                               EndpointSlice, ConfigMap, Secret, VirtualService, DestinationRule, Gateway, ServiceEntry,
                               PeerAuthentication, AuthorizationPolicy, RequestAuthentication>;
using ObjectRef = std::shared_ptr<const AnyObject>;
const Meta& MetaOf(const AnyObject& object) noexcept;

// Objects of the type T among `objects`, in their order.
template <class T>
std::vector<const T*> ObjectsOf(const std::vector<ObjectRef>& objects) {
  std::vector<const T*> out = {};
  for (const ObjectRef& object : objects)
    if (const T* typed = std::get_if<T>(object.get())) out.push_back(typed);
  return out;
}

// The same, where the oldest wins (IsOlder).
template <class T>
std::vector<const T*> OldestFirst(const std::vector<ObjectRef>& objects) {
  std::vector<const T*> out = ObjectsOf<T>(objects);
  std::sort(out.begin(), out.end(), [](const T* a, const T* b) { return IsOlder(a->meta, b->meta); });
  return out;
}

}  // namespace plait::control::model
