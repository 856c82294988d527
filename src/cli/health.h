#pragma once
// What `plait check` makes of what it saw of a mesh: facts in, checks with their fixes out. Pure.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/checks.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "local/mesh_status.h"

namespace plait::cli {

// What the admin port of a proxy said.
struct ProxyFacts {
  std::string workload;                             // "details-v1-0.default"
  std::string error = {};                           // why it could not be asked; the rest is empty then
  std::string ready = {};                           // "LIVE"
  std::shared_ptr<const Json> listeners = {};       // /listeners?format=json
  std::shared_ptr<const Json> certificates = {};    // /certs
  std::vector<std::string> listener_failures = {};  // of listeners that are not in force: why
  std::string envoy = {};                           // the version, where it is an Envoy
  std::string capture = {};                        // what is wrong with the capture rules in the kernel; empty: nothing
  std::optional<Diagnostic> capture_unasked = {};  // why that cannot be told
};
struct MeshFacts {
  local::MeshStatus status;
  std::string control_plane = {};  // its version; empty: it does not answer, with the reason in `control_error`
  std::string control_error = {};
  std::shared_ptr<const Json> syncz = {};  // /debug/syncz; null: it could not be asked, with the reason
  std::string syncz_error = {};
  std::shared_ptr<const Json> push_status = {};  // /debug/push_status, in the same way
  std::string push_status_error = {};
  std::vector<ProxyFacts> proxies = {};
  WallTime now{};
};
std::vector<Check> JudgeHealth(const MeshFacts& facts);

}  // namespace plait::cli
