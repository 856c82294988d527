#pragma once
// What Plait honours of each kind of configuration object, field by field: docs/configuration.md and
// `plait docs configuration`. Found out by experiment (experiment.h). Pure; takes some 100 ms.
#include <string>
#include <string_view>
#include <vector>

#include "control/reference/experiment.h"

namespace plait::control::reference {

struct KindReference {
  std::string kind;   // "VirtualService"; "MeshConfig" is a key of a ConfigMap
  std::string group;  // "networking.istio.io"; "" is Kubernetes' core
  std::vector<std::string> versions;
  std::string note = {};  // for people: what is particular about the kind
  // Kubernetes' objects describe much that is not a mesh's business: of them only what is honoured or told is listed.
  bool foreign = false;
  std::vector<Field> fields;
};

std::vector<KindReference> Reference();
// Kinds of Istio that exist and are ignored with a warning.
std::vector<std::string> IgnoredKinds();

std::string ToJson(const std::vector<KindReference>& kinds);
std::string ToMarkdown(const std::vector<KindReference>& kinds);  // docs/configuration.md

std::string_view EffectName(Effect effect) noexcept;  // "honoured"

}  // namespace plait::control::reference
