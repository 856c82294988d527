#pragma once
// From YAML trees to objects. An object with errors in it is returned as far as it may be in force (semantics.md 5):
// routing kinds without the invalid rule, security kinds with `invalid` set (unread_policies.h: also where its head,
// its metadata or its YAML is broken), others not at all.
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/finding.h"
#include "control/model/objects.h"
#include "core/yaml/node.h"

namespace plait::control::model {

struct Decoded {
  std::vector<ObjectRef> objects = {};
  Findings findings = {};
  std::vector<std::string> ignored_kinds = {};  // "helm.toolkit.fluxcd.io/v2 HelmRelease": the caller tells each once
};

struct DecodeContext {
  std::string default_namespace = "default";
};

// All documents of one file, whatever stands beside them; lists (`kind: List`) are opened.
Decoded DecodeText(std::string_view text, const std::string& file, const DecodeContext& context = {});
// Of a text that goes on behind what is given here: the last document may be cut, so it counts as one that cannot be
// read, and of it only policies are told, which fail closed.
Decoded DecodeBeginning(std::string_view text, const std::string& file, const DecodeContext& context = {});
void DecodeDocument(const yaml::Node& document, const std::string& file, const DecodeContext& context, Decoded& out);

}  // namespace plait::control::model
