#pragma once
// Plait's own forms: the sole network filters of virtualOutbound and virtualInbound, and L4Routes, by original port.
// Mirrors api/plait/proxy/v1. They do not grow with the mesh.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/xds/http_connection_manager.h"
#include "core/xds/network_filters.h"
#include "core/xds/tls_context.h"

namespace plait::xds {

struct Outbound {
  HttpConnectionManager http;   // a template; RdsRef with empty name = the original port in decimal
  TcpProxy tcp;                 // a template without clusters
  std::string network;          // of this proxy: keys of the index are "<network>/<ip>"
  std::string unknown_cluster;  // PassthroughCluster or BlackHoleCluster
  Duration dial_after = std::chrono::milliseconds(5);
  Duration lookup_timeout = std::chrono::seconds(5);
  friend bool operator==(const Outbound&, const Outbound&) = default;
};

enum class MtlsMode : std::uint8_t { kDisable, kPermissive, kStrict };
enum class DeclaredProtocol : std::uint8_t { kNone, kHttp, kTcp, kTls };

// A probe of the kubelet that is admitted in plaintext under STRICT (semantics.md 9).
struct ProbeExemption {
  enum class Kind : std::uint8_t { kHttp, kHttps, kTcp, kGrpc };
  Kind kind = Kind::kHttp;
  std::string path;  // kHttp: exact path and query; kGrpc: service
  friend bool operator==(const ProbeExemption&, const ProbeExemption&) = default;
};

struct InboundPort {
  std::uint16_t port = 0;  // 0 only in Inbound::other
  MtlsMode mode = MtlsMode::kPermissive;
  DeclaredProtocol declared = DeclaredProtocol::kNone;
  std::string cluster;   // "inbound|<port>||", InboundPassthroughCluster in `other`
  bool app_tls = false;  // a foreign ClientHello reaches the application (plait.dev/app-tls-ports)
  std::vector<ProbeExemption> probes;
  std::string strict_by = {};  // the invalid policy that made it STRICT, for details; empty: an ordinary one
  friend bool operator==(const InboundPort&, const InboundPort&) = default;
};

struct Inbound {
  // A template. RdsRef with empty name: the proxy makes the routes of a port itself, as Istio does: configuration
  // `inbound|<port>||`, virtual host `inbound|http|<port>`, domain `*`, one route `default` to the port's cluster,
  // no timeout, retried twice on reset-before-request.
  HttpConnectionManager http;
  TcpProxy tcp;                              // template
  std::vector<NetworkRbac> network_filters;  // before TCP
  DownstreamTlsContext tls;
  std::optional<Duration> detection_timeout;  // default 1 s
  std::vector<InboundPort> ports;             // sorted, no port twice
  InboundPort other;                          // for every port that is not listed
  friend bool operator==(const Inbound&, const Inbound&) = default;
};

struct L4Route {
  std::vector<std::string> sni;             // any of them ("*.b" too); empty: whatever it is, also no TLS
  std::vector<io::Cidr> destinations;       // any of them; empty: all
  std::vector<L4WeightedCluster> clusters;  // weights sum to > 0
  std::string name;                         // %ROUTE_NAME%
  friend bool operator==(const L4Route&, const L4Route&) = default;
};

// Resource name: the original port in decimal. The first route that matches.
struct L4Routes {
  std::string name;
  std::vector<L4Route> routes;
  friend bool operator==(const L4Routes&, const L4Routes&) = default;
};

}  // namespace plait::xds
