#pragma once
// Edits that wait for what they name (semantics.md 5). An edit of a file waits, and the file's last good version stays
// in force, when it makes an object of the file name another one that is not there; it is in force by itself once that
// one is there. A name that leads to nothing because another file changed, or that did so before, holds no edit back.
// What depends on which pods run, such as selectors, is no name. Security comes first: an edit that changes a security
// policy never waits, since a route that leads to nothing does less harm than a policy that is not in force.
#include <functional>
#include <string>
#include <vector>

#include "control/model/finding.h"
#include "control/model/mesh_config.h"
#include "control/model/objects.h"

namespace plait::control::source {

// Whether some of these name others, so that an edit of them may wait.
bool NameOthers(const std::vector<model::ObjectRef>& objects);

// A file without errors that differs from its last good version.
struct EditedFile {
  std::string path;
  const std::vector<model::ObjectRef>* last_good = nullptr;
  const std::vector<model::ObjectRef>* written = nullptr;
};

// Of one file each: the names in it that lead to nothing, as errors; the edit waits for them. A warning: it is in force
// although there are such names. Empty: it is in force.
using Waiting = std::vector<model::Findings>;

// `edited`: sorted by path. `objects_if`: all objects that are in force if those of `edited` that are marked have their
// last good versions and the others what was written. Pure, so that a restart changes nothing. Edits may name each
// other's objects. Costs a snapshot without pods when none waits, and three or four for each link of the longest chain
// of edits that wait for one another; two more where one is in force that names what is not there.
Waiting FindWaiting(const std::vector<EditedFile>& edited,
                    const std::function<std::vector<model::ObjectRef>(const std::vector<bool>&)>& objects_if,
                    const model::MeshConfig& mesh);

}  // namespace plait::control::source
