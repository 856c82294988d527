#pragma once
// Kinds that are known and not read: what becomes of an object of one. A kind leaves this table in the change that
// reads it (decode.cc has those).
#include <optional>
#include <string_view>

namespace plait::control::model {

inline constexpr std::string_view kRenderKustomization =
    "what it makes is not made: render it first (kubectl kustomize FOLDER > FILE), and keep it out of this directory";

struct UnreadKind {
  // With its place: who has written it believes that it shapes traffic, policy or what runs. Else once a kind, as
  // information.
  bool warned = false;
  std::string_view hint = {};  // what to write in its place; may be empty
};
// `group`: "" is Kubernetes' core. nullopt: nothing is known of it.
std::optional<UnreadKind> FindUnreadKind(std::string_view group, std::string_view kind) noexcept;

}  // namespace plait::control::model
