#pragma once
// Authorization as rules: trees of principals and permissions. Mirrors envoy.config.rbac.v3; used by the network and
// the HTTP filter, which compile it.
#include <cstdint>
#include <string>
#include <vector>

#include "core/io/address.h"
#include "core/xds/matcher.h"

namespace plait::xds {

// Who asks. `kind` says which of the members counts.
struct Principal {
  enum class Kind : std::uint8_t {
    kAny,             // always
    kAnd,             // children; empty is refused when decoded
    kOr,              // children
    kNot,             // children[0]
    kAuthenticated,   // any valid client certificate; with `text` set: one of its URI SANs, DNS SANs or its subject
                      // matches. filter_state io.istio.peer_principal is decoded to this, too (a SPIFFE URI).
    kDirectRemoteIp,  // cidr; the peer of the connection (or what PROXY protocol says)
    kRemoteIp,        // cidr; after x-forwarded-for
    kSourceIp,        // cidr; deprecated source_ip, the same as kDirectRemoteIp
    kHeader,          // header
    kUrlPath,         // text; path without query
  };
  Kind kind = Kind::kAny;
  std::vector<Principal> children;
  bool has_text = false;  // kAuthenticated: whether `text` is set
  StringMatcher text;
  io::Cidr cidr;
  HeaderMatcher header;
  friend bool operator==(const Principal&, const Principal&) = default;
};

// What is asked for.
struct Permission {
  enum class Kind : std::uint8_t {
    kAny,
    kAnd,
    kOr,
    kNot,
    kHeader,
    kUrlPath,               // text; path without query
    kDestinationIp,         // cidr; original destination of the connection
    kDestinationPort,       // port_start
    kDestinationPortRange,  // [port_start, port_end)
    kRequestedServerName,   // text; SNI
  };
  Kind kind = Kind::kAny;
  std::vector<Permission> children;
  StringMatcher text;
  io::Cidr cidr;
  HeaderMatcher header;
  std::uint32_t port_start = 0;
  std::uint32_t port_end = 0;
  friend bool operator==(const Permission&, const Permission&) = default;
};

struct RbacPolicy {
  std::string name;                     // "ns[default]-policy[deny-get]-rule[0]"
  std::vector<Permission> permissions;  // any of them
  std::vector<Principal> principals;    // and any of these
  friend bool operator==(const RbacPolicy&, const RbacPolicy&) = default;
};

struct RbacRules {
  enum class Action : std::uint8_t { kAllow, kDeny, kLog };
  Action action = Action::kAllow;
  std::vector<RbacPolicy> policies;  // sorted by name: the first that matches is the one that is reported
  friend bool operator==(const RbacRules&, const RbacRules&) = default;
};

}  // namespace plait::xds
