#pragma once
// What every configuration object has: kind, name, labels, and where it was written.
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/yaml/node.h"

namespace plait::control::model {

enum class Kind : std::uint8_t {
  kNamespace,
  kService,
  kServiceAccount,
  kPod,
  kDeployment,
  kStatefulSet,
  kJob,
  kNode,
  kEndpointSlice,
  kEndpoints,  // read as an EndpointSlice
  kConfigMap,
  kSecret,
  kVirtualService,
  kDestinationRule,
  kGateway,
  kServiceEntry,
  kPeerAuthentication,
  kAuthorizationPolicy,
  kRequestAuthentication,
};
std::string_view KindName(Kind kind) noexcept;      // "VirtualService"
std::string_view KindPathName(Kind kind) noexcept;  // "virtual-service": as in Istio's config paths

using Labels = std::map<std::string, std::string>;
// Whether all of `wanted` are in `labels`. An empty selector matches everything.
bool Selects(const Labels& wanted, const Labels& labels) noexcept;

// Names an object: kinds are global, namespaced ones have a namespace.
struct ObjectKey {
  Kind kind = Kind::kNamespace;
  std::string name_space = {};
  std::string name = {};
  std::string ToString() const;  // "VirtualService default/reviews"
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

// Where a part of an object stands in the object's file, to tell. It is no part of what the object says: all are equal.
struct Place {
  yaml::Mark mark = {};
  friend bool operator==(const Place&, const Place&) noexcept { return true; }
};

struct Meta {
  ObjectKey key = {};
  Labels labels = {};
  Labels annotations = {};
  WallTime created{};  // creationTimestamp; the epoch when not given
  Position at = {};    // of the object's name
  friend bool operator==(const Meta&, const Meta&) = default;

  const std::string& name() const noexcept { return key.name; }
  const std::string& name_space() const noexcept { return key.name_space; }
  // "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews": metadata istio.config.
  std::string ConfigPath() const;
};

// Where Istio lets the oldest object win: by creation, then name and namespace, so that it is the same everywhere.
bool IsOlder(const Meta& a, const Meta& b) noexcept;

}  // namespace plait::control::model
