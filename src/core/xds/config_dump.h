#pragma once
// The admin page /config_dump: accepted resources as JSON in the shape of envoy.admin.v3.ConfigDump, so that Envoy's
// tools (istioctl proxy-config, Kiali) read it. Works on the accepted bytes, nothing is kept for it. Private keys and
// passwords are redacted. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace plait::xds {

// The last update of a resource, when it was refused: envoy.admin.v3.UpdateFailureState.
struct DumpedFailure {
  std::string_view details;
  std::string_view version;
  WallTime attempted{};
};

// One resource. Views must live during the call.
struct DumpedResource {
  enum class State : std::uint8_t { kStatic, kActive, kWarming, kDraining };
  State state = State::kActive;
  std::string_view name;
  std::string_view version;
  std::string_view bytes;  // the message as accepted; empty: its failure is known, or that it is awaited
  WallTime updated{};
  std::optional<DumpedFailure> failure = {};  // error_state
};

// What the node became after the bootstrap was read: by flags, and by what this proxy is.
struct DumpedNode {
  std::string_view id;
  std::string_view cluster;
  std::string_view user_agent_name;
  std::string_view user_agent_version;
};

struct DumpedConfig {
  std::string_view bootstrap;  // serialized Bootstrap
  DumpedNode node;
  WallTime started{};
  std::string_view cluster_version;
  std::string_view listener_version;
  std::vector<DumpedResource> clusters;
  std::vector<DumpedResource> endpoints;  // only shown with include_eds
  std::vector<DumpedResource> listeners;  // route tables inside them are shown as static routes, too
  std::vector<DumpedResource> routes;
  std::vector<DumpedResource> secrets;
  std::vector<DumpedResource> l4_routes;  // Plait's own; no section when empty
  std::vector<DumpedResource> addresses;
};

struct DumpQuery {
  std::string resource;  // a repeated field of a section ("dynamic_active_clusters"): its elements only
  // "cluster.name,version_info": paths to keep in each section that has one of them, or in each element with
  // `resource`.
  std::string mask;
  std::string name_regex;  // RE2: resources whose whole name matches
  bool include_eds = false;
};

// Errors: kNotFound (no such `resource`), kInvalidInput (a field that is no list, a mask that fits nothing, a regular
// expression that does not compile).
Outcome<std::string> DumpConfig(const DumpedConfig& config, const DumpQuery& query);

}  // namespace plait::xds
