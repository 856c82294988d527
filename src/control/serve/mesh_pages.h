#pragma once
// Debug pages and gauges about the model: services, endpoints, names, objects, problems, MeshConfig.
#include <functional>
#include <map>
#include <string>

#include "control/model/snapshot.h"
#include "control/serve/debug.h"
#include "control/serve/push_status.h"

namespace plait::control::serve {

struct MeshPageSources {
  std::function<model::SnapshotRef()> snapshot;  // may give null while nothing was read
  // What is wrong with the configuration now, beside the snapshot's own findings (files that cannot be read ...).
  std::function<model::Findings()> problems;
  // Every object as it was written, as JSON, by "<kind> <namespace>/<name>" (source::DirectorySource::Written).
  std::function<std::map<std::string, std::string>()> written;
};

// All are asked at each request.
void AddMeshPages(DebugEndpoints& debug, MeshPageSources sources);

// {"pilot_eds_no_instances": {"outbound|80||web...": {"message": "..."}}}, one line.
std::string PushStatusJson(const PushStatus& status);

}  // namespace plait::control::serve
