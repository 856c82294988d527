#pragma once
// plaitd --resources-of POD[.NAMESPACE]: what a directory of YAML means for the proxy of one workload, without a mesh:
// the resources that it would be sent by `plait up`, as JSON for `plait-proxy --mode explain`, and where the objects
// stand. Pods count as running and ready; their addresses are made up.
#include <string>
#include <vector>

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
  std::vector<std::string> problems;  // of the files, for people
};
// {"node": {"id"}, "pod", "proxy": sidecar, router or none, "ip", "identity", "resources": [{"type", "name", "aliases",
// "value": base64}], "objects": [{"kind", "name", "namespace", "at": "FILE:LINE"}]}. Errors: no such workload.
Outcome<SavedResources> ResourcesOf(io::Loop& loop, const SavedResourcesOptions& options);

}  // namespace plait::control::serve
