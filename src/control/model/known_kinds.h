#pragma once
// Which kinds are read (decode.cc has the table), and which of Istio's are not (unread_kinds.cc).
#include <span>
#include <string_view>
#include <vector>

#include "control/model/meta.h"

namespace plait::control::model {

struct KnownKind {
  std::string_view group;  // "" is Kubernetes' core
  Kind kind = Kind::kNamespace;
  std::span<const std::string_view> versions;  // the first is the one to use
};
std::vector<KnownKind> KnownKinds();
// Kinds of Istio that exist and are ignored with a warning.
struct UnreadIstioKind {
  std::string_view group;
  std::string_view kind;
};
std::vector<UnreadIstioKind> UnreadIstioKinds();

}  // namespace plait::control::model
