#pragma once
// What `plait version` shows, as `istioctl version` does: this program, the control plane, and how many proxies have
// which version. Pure.
#include <functional>
#include <map>
#include <string>

#include "cli/render.h"
#include "core/base/result.h"
#include "local/mesh_status.h"

namespace plait::cli {

struct Versions {
  std::string client;
  std::string control_plane = {};           // empty: no mesh runs, or `control_error` is set
  std::string control_error = {};           // why it could not be asked
  std::map<std::string, int> proxies = {};  // plait-proxies: how many of which; "unknown": that did not answer
  std::map<std::string, int> envoys = {};
};
// `named`: " --name shop", that commands need to mean this mesh.
Output VersionsOutput(const Versions& versions, const std::string& named);

// The proxies that `status` tells of, in the form of ProxiesIn (envoys.h), for when plaitd does not say which are
// connected. `ask` gives the /server_info of one. Each that does not answer takes its time, so after the first the rest
// are "unknown" without being asked.
Json ProxiesOf(const local::MeshStatus& status, const std::function<Outcome<Json>(const std::string& proxy)>& ask);

}  // namespace plait::cli
