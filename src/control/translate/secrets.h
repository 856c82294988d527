#pragma once
// Secrets (SDS). A workload's own key is never here: it never leaves its proxy (semantics.md 4). Pure.
#include <optional>
#include <string>
#include <string_view>

#include "control/model/snapshot.h"
#include "core/xds/secret.h"

namespace plait::control::translate {

// "ROOTCA": `roots_pem`. "kubernetes://<name>" and "kubernetes://<name>-cacert": only a Secret of the proxy's own
// namespace, and only if a Gateway that selects a gateway pod of the proxy's identity names it. nullopt: there is none,
// or this proxy may not have it.
std::optional<xds::Secret> FindSecret(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                      std::string_view roots_pem, std::string_view name);

}  // namespace plait::control::translate
