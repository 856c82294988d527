#pragma once
// plaitd --resources-of POD[.NAMESPACE]: what a directory of YAML means for the proxy of one workload, without a mesh:
// the resources that it would be sent by `plait up`, as JSON for `plait-proxy --mode explain`, and where the objects
// stand. Pods count as running and ready; their addresses are made up.
#include <optional>
#include <string>
#include <vector>

#include "control/model/finding.h"
#include "core/base/result.h"
#include "core/io/loop.h"

namespace plait::control::serve {

struct SavedResourcesOptions {
  std::vector<std::string> directories;
  std::string workload;  // a pod or a deployment (its first pod), NAME or NAME.NAMESPACE
  std::string trust_domain = "cluster.local";
  std::string root_namespace = "istio-system";
};

struct SavedResources {
  std::string json;
  model::Findings problems;         // of the files
  std::optional<Diagnostic> error;  // there is no such workload
};
// {"problems": [{"severity": error, warning or info, "text": "FILE:LINE:COLUMN: ..."}], "node": {"id"}, "pod", "proxy":
// sidecar, router or none, "ip", "identity", "capture": {annotation: value}, "ports": [of its containers], "resources":
// [{"type", "name", "aliases", "value": base64}], "secrets": [names], "objects": [{"kind", "name", "namespace", "at":
// "FILE:LINE"}]}. With an error: {"problems", "error", "hint"}.
SavedResources ResourcesOf(io::Loop& loop, const SavedResourcesOptions& options);

}  // namespace plait::control::serve
