#pragma once
// The nftables rules that take a workload's connections to its proxy, as text. What each annotation
// (core/base/capture_annotations.h) excludes or includes is decided here; semantics are those of Istio's
// istio-iptables.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/port.h"
#include "core/io/address.h"

namespace plait::node {

struct CaptureRules {
  // Where the proxy's own sockets may go directly; elsewhere they are rejected (the dial helper is the only way out).
  // Empty: anywhere.
  std::vector<io::Cidr> mesh_ranges;
  // Where services have their addresses: what the application keeps from the proxy is led from there to endpoints by
  // the table of service_rules.h. Empty: there is no such table.
  std::vector<io::Cidr> service_ranges = {};
  bool capture_dns = true;
  std::vector<Port> exclude_inbound_ports;
  std::vector<Port> exclude_outbound_ports;
  std::vector<io::Cidr> exclude_outbound_ranges;
  // When set, only these are captured. (`*` = unset, as in Istio.)
  bool limit_inbound_ports = false;
  std::vector<Port> include_inbound_ports;
  bool limit_outbound_ranges = false;
  std::vector<io::Cidr> include_outbound_ranges;
};

// Whether connections of the application to addresses of services may go past the proxy.
bool LeavesOutbound(const CaptureRules& rules);

// One table `inet plait` for a namespace that has none yet. No "add; delete; add" dance: after any deletion closing
// the nftables socket waits for RCU (8 to 40 ms).
std::string ToNft(const CaptureRules& rules);

// What is wrong with rules that were loaded from ToNft, by their lists (node/nft.h) then and now; "": nothing.
std::string RulesDifference(const std::string& then, const std::string& now);

// Refuses what is not a list of ports or ranges, naming the annotation.
Outcome<CaptureRules> RulesFromAnnotations(const std::vector<std::pair<std::string, std::string>>& annotations);

// What becomes of a connection by these rules: what ToNft's rules do with it.
struct Ruling {
  enum class Kind : std::uint8_t {
    kToProxy,
    kToDns,      // of the proxy, which takes every connection to port 53
    kToOwnPort,  // one that the proxy itself serves to all: metrics, readiness
    kPast,       // where it is sent; the proxy does not see it
    kRefused,    // by a reset
  };
  Kind kind = Kind::kToProxy;
  std::string why = {};  // kPast: what leaves it out, with the annotation
};
// Of the application to `to`; `own`: that is an address of its pod.
Ruling RulingOut(const CaptureRules& rules, const io::SocketAddress& to, bool own);

// Who has dialled what arrives at a workload.
enum class Dialler : std::uint8_t {
  kOther,     // from outside of its network
  kItself,    // its application, past its proxy
  kOwnProxy,  // its proxy, which goes through its inbound side as that of any other workload would
};
Ruling RulingIn(const CaptureRules& rules, Port port, Dialler dialler);

}  // namespace plait::node
