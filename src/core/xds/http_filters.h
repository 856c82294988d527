#pragma once
// Configuration of HTTP filters and what a route may override of it. Mirrors envoy.extensions.filters.http.*.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "core/xds/matcher.h"
#include "core/xds/rbac.h"
#include "core/xds/secret.h"

namespace plait::xds {

struct RouterFilter {
  bool suppress_envoy_headers = false;
  bool start_child_span = false;
  bool respect_expected_rq_timeout = false;
  friend bool operator==(const RouterFilter&, const RouterFilter&) = default;
};

// envoy.filters.http.rbac. Without rules everything passes.
struct RbacFilter {
  std::optional<RbacRules> rules;
  std::optional<RbacRules> shadow_rules;  // evaluated and counted only
  std::string rules_stat_prefix;
  std::string shadow_rules_stat_prefix;  // istio_dry_run_allow_ ...
  friend bool operator==(const RbacFilter&, const RbacFilter&) = default;
};
struct RbacOverride {  // RBACPerRoute; without rbac: off for this route
  std::optional<RbacFilter> rbac;
  friend bool operator==(const RbacOverride&, const RbacOverride&) = default;
};

struct CorsFilter {
  friend bool operator==(const CorsFilter&, const CorsFilter&) = default;
};
struct CorsPolicy {
  std::vector<StringMatcher> allow_origins;
  std::string allow_methods;  // as sent in the header
  std::string allow_headers;
  std::string expose_headers;
  std::string max_age;
  bool allow_credentials = false;
  std::optional<Fraction> enabled;  // nullopt: always
  bool forward_not_matching_preflights = true;
  friend bool operator==(const CorsPolicy&, const CorsPolicy&) = default;
};

struct FaultPolicy {  // both the filter's and a route's settings
  struct Abort {
    std::uint16_t http_status = 0;  // exactly one of the two is set
    std::optional<std::uint32_t> grpc_status;
    Fraction fraction;
    friend bool operator==(const Abort&, const Abort&) = default;
  };
  struct Delay {
    Duration fixed{};
    Fraction fraction;
    friend bool operator==(const Delay&, const Delay&) = default;
  };
  std::optional<Abort> abort;
  std::optional<Delay> delay;
  std::string upstream_cluster;        // only requests to it; empty: all
  std::vector<HeaderMatcher> headers;  // all of them
  std::optional<std::uint32_t> max_active_faults;
  friend bool operator==(const FaultPolicy&, const FaultPolicy&) = default;
};

// istio.alpn: chooses the ALPN list towards the upstream by the protocol of the downstream. Ours does that by itself
// (semantics.md 3); the filter is accepted so that Istio's gateways' form is.
struct IstioAlpnFilter {
  friend bool operator==(const IstioAlpnFilter&, const IstioAlpnFilter&) = default;
};

// istio.stats (stats.PluginConfig): emits Istio's standard metrics.
struct IstioStatsFilter {
  bool disable_host_header_fallback = false;
  friend bool operator==(const IstioStatsFilter&, const IstioStatsFilter&) = default;
};

// envoy.filters.http.grpc_stats: counts messages of gRPC streams (istio_*_messages_total).
struct GrpcStatsFilter {
  bool emit_filter_state = false;
  bool stats_for_all_methods = false;
  friend bool operator==(const GrpcStatsFilter&, const GrpcStatsFilter&) = default;
};

using HttpFilterConfig =
    std::variant<RouterFilter, RbacFilter, CorsFilter, FaultPolicy, IstioAlpnFilter, IstioStatsFilter, GrpcStatsFilter>;

struct HttpFilter {
  std::string name;
  HttpFilterConfig config;
  bool is_optional = false;  // an unknown type of an optional filter is left out, not refused
  bool disabled = false;     // until a route enables it
  friend bool operator==(const HttpFilter&, const HttpFilter&) = default;
};

// envoy.config.route.v3.FilterConfig with disabled: true, or with an empty config (enables a disabled filter).
struct FilterSwitch {
  bool disabled = false;
  friend bool operator==(const FilterSwitch&, const FilterSwitch&) = default;
};
using HttpFilterOverride = std::variant<FilterSwitch, RbacOverride, CorsPolicy, FaultPolicy>;

}  // namespace plait::xds
