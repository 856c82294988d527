#pragma once
// Istio's security kinds. An object that cannot be honoured as written is kept with `invalid` set: it fails closed for
// the workloads in its scope (semantics.md 5).
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/meta.h"
#include "core/yaml/node.h"

namespace plait::control::model {

// Whom a policy is for: an empty selector is the whole namespace, in the root namespace the whole mesh.
struct PolicyScope {
  Labels selector = {};
  Place selector_at = {};
  bool nothing = false;  // the selector is for nobody: targetRefs stand in its place
  // Of targetRefs: the Gateways (of the Gateway API, by name) whose pods in the policy's own namespace are meant.
  std::vector<std::string> gateways = {};
  friend bool operator==(const PolicyScope&, const PolicyScope&) = default;
};

// Among the gateways: each, because it cannot be read which one is meant.
inline constexpr std::string_view kAnyGateway = "*";

struct PeerAuthentication {
  enum class Mode : std::uint8_t { kUnset, kDisable, kPermissive, kStrict };
  Meta meta = {};
  PolicyScope scope = {};
  Mode mode = Mode::kUnset;
  std::map<std::uint16_t, Mode> ports = {};  // of the workload, not of the service
  bool invalid = false;
  friend bool operator==(const PeerAuthentication&, const PeerAuthentication&) = default;
};

// Values of one field: any of `any`, none of `none`. Both empty: the field says nothing.
struct ValueMatch {
  std::vector<std::string> any = {};
  std::vector<std::string> none = {};
  bool empty() const noexcept { return any.empty() && none.empty(); }
  friend bool operator==(const ValueMatch&, const ValueMatch&) = default;
};

struct PolicySource {
  ValueMatch principals = {};
  ValueMatch namespaces = {};
  ValueMatch service_accounts = {};  // "ns/sa" or "sa" in the policy's namespace
  ValueMatch ip_blocks = {};
  ValueMatch remote_ip_blocks = {};
  ValueMatch trust_domains = {};
  std::vector<Place> callers_at = {};  // of what principals.any names, then of what namespaces.any names
  friend bool operator==(const PolicySource&, const PolicySource&) = default;
};
struct PolicyOperation {
  ValueMatch hosts = {};
  ValueMatch ports = {};
  ValueMatch methods = {};
  ValueMatch paths = {};
  friend bool operator==(const PolicyOperation&, const PolicyOperation&) = default;
};
struct PolicyCondition {
  std::string key = {};
  ValueMatch values = {};
  friend bool operator==(const PolicyCondition&, const PolicyCondition&) = default;
};
struct PolicyRule {
  std::vector<PolicySource> from = {};     // any of them; empty: anyone
  std::vector<PolicyOperation> to = {};    // any of them; empty: anything
  std::vector<PolicyCondition> when = {};  // all of them
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

struct AuthorizationPolicy {
  enum class Action : std::uint8_t { kAllow, kDeny };
  Meta meta = {};
  PolicyScope scope = {};
  Action action = Action::kAllow;
  std::vector<PolicyRule> rules = {};  // none: matches nothing (ALLOW: denies all; DENY: denies nothing)
  bool dry_run = false;                // annotation istio.io/dry-run
  bool invalid = false;
  friend bool operator==(const AuthorizationPolicy&, const AuthorizationPolicy&) = default;
};

// Token rules are not honoured yet, so such an object is always invalid: no request passes.
struct RequestAuthentication {
  Meta meta = {};
  PolicyScope scope = {};
  friend bool operator==(const RequestAuthentication&, const RequestAuthentication&) = default;
};

}  // namespace plait::control::model
