#pragma once
// Internal to control/reference: the kinds to experiment with, in the order of the page, each with sample objects.
#include <string>
#include <vector>

#include "control/model/meta.h"
#include "control/reference/experiment.h"

namespace plait::control::reference {

struct KindSubject {
  model::Kind kind = model::Kind::kNamespace;
  std::string name = {};  // in place of the kind's own: MeshConfig stands in a ConfigMap
  std::string note = {};
  bool foreign = false;
  Subject subject = {};  // without a type: nothing of the kind is honoured
};

std::vector<KindSubject> IstioKinds();
std::vector<KindSubject> KubernetesKinds();

}  // namespace plait::control::reference
