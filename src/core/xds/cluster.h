#pragma once
// Clusters: what CDS carries. Mirrors envoy.config.cluster.v3 and envoy.extensions.upstreams.http.v3.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/xds/endpoint.h"
#include "core/xds/http_connection_manager.h"
#include "core/xds/tls_context.h"

namespace plait::xds {

struct RetryBudget {
  double budget_percent = 20;
  std::uint32_t min_retry_concurrency = 3;
  friend bool operator==(const RetryBudget&, const RetryBudget&) = default;
};

// Limits of the whole process, not of a worker.
struct CircuitBreakers {
  std::uint32_t max_connections = 1024;
  std::uint32_t max_pending_requests = 1024;
  std::uint32_t max_requests = 1024;
  std::uint32_t max_retries = 3;
  std::optional<RetryBudget> retry_budget;  // instead of max_retries
  bool track_remaining = false;
  friend bool operator==(const CircuitBreakers&, const CircuitBreakers&) = default;
};

struct OutlierDetection {
  std::uint32_t consecutive_5xx = 5;  // 0: off (also the two below)
  std::uint32_t consecutive_gateway_failure = 5;
  std::uint32_t consecutive_local_origin_failure = 5;
  std::uint32_t enforcing_consecutive_5xx = 100;  // percent
  std::uint32_t enforcing_consecutive_gateway_failure = 0;
  std::uint32_t enforcing_consecutive_local_origin_failure = 100;
  bool split_external_local_origin_errors = false;
  Duration interval = std::chrono::seconds(10);
  Duration base_ejection_time = std::chrono::seconds(30);
  std::optional<Duration> max_ejection_time;  // default: max(base, 300 s)
  Duration max_ejection_time_jitter{};
  std::uint32_t max_ejection_percent = 10;
  std::uint32_t enforcing_success_rate = 100;
  std::uint32_t success_rate_minimum_hosts = 5;
  std::uint32_t success_rate_request_volume = 100;
  std::uint32_t success_rate_stdev_factor = 1900;
  std::optional<bool> successful_active_health_check_uneject_host;
  friend bool operator==(const OutlierDetection&, const OutlierDetection&) = default;
};

struct SlowStart {
  Duration window{};
  double aggression = 1.0;
  double min_weight_percent = 10;
  friend bool operator==(const SlowStart&, const SlowStart&) = default;
};

enum class LbPolicy : std::uint8_t { kRoundRobin, kLeastRequest, kRandom, kRingHash, kMaglev, kClusterProvided };

struct LbConfig {
  LbPolicy policy = LbPolicy::kRoundRobin;
  std::uint32_t choice_count = 2;          // kLeastRequest
  std::optional<SlowStart> slow_start;     // kRoundRobin, kLeastRequest
  std::uint64_t minimum_ring_size = 1024;  // kRingHash
  std::uint64_t maximum_ring_size = 8 * 1024 * 1024;
  std::uint64_t table_size = 65537;  // kMaglev; prime
  bool use_hostname_for_hashing = false;
  double healthy_panic_threshold = 50;               // percent; 0: no panic routing
  bool locality_weighted = false;                    // locality_weighted_lb_config
  std::uint32_t zone_routing_enabled_percent = 100;  // zone_aware_lb_config
  std::uint64_t zone_minimum_cluster_size = 6;
  bool ignore_new_hosts_until_first_hc = false;
  friend bool operator==(const LbConfig&, const LbConfig&) = default;
};

// How requests go upstream: envoy.extensions.upstreams.http.v3.HttpProtocolOptions, or HTTP/1.1 when not given.
struct UpstreamHttpOptions {
  enum class Protocol : std::uint8_t { kHttp1, kHttp2, kUseDownstream, kAutoByAlpn };
  Protocol protocol = Protocol::kHttp1;
  CommonHttpOptions common;
  Http1Options http1;
  Http2Options http2;
  bool auto_sni = false;  // SNI from Host
  std::string override_auto_sni_header;
  bool auto_san_validation = false;
  friend bool operator==(const UpstreamHttpOptions&, const UpstreamHttpOptions&) = default;
};

struct TransportSocketMatch {
  std::string name;                          // "tlsMode-istio", "tlsMode-disabled"
  std::map<std::string, std::string> match;  // all of them in the endpoint's transport_socket_match; empty: always
  std::optional<UpstreamTlsContext> tls;     // nullopt: raw_buffer
  friend bool operator==(const TransportSocketMatch&, const TransportSocketMatch&) = default;
};

struct TcpKeepAlive {  // nullopt: the kernel's value
  std::optional<std::uint32_t> probes;
  std::optional<std::uint32_t> time_s;
  std::optional<std::uint32_t> interval_s;
  friend bool operator==(const TcpKeepAlive&, const TcpKeepAlive&) = default;
};

struct OriginalDstConfig {
  bool use_http_header = false;
  std::string http_header_name;                // default x-envoy-original-dst-host
  std::optional<std::uint16_t> port_override;  // upstream_port_override
  friend bool operator==(const OriginalDstConfig&, const OriginalDstConfig&) = default;
};

// How soon a name that could not be resolved is asked for again: from failure to failure later, with jitter.
struct DnsFailureRefreshRate {
  Duration base_interval{};
  Duration max_interval{};
  friend bool operator==(const DnsFailureRefreshRate&, const DnsFailureRefreshRate&) = default;
};

enum class DnsLookupFamily : std::uint8_t { kAuto, kV4Only, kV6Only, kV4Preferred, kAll };

struct ServiceRef {  // metadata istio.services: for labels of telemetry
  std::string host;
  std::string name;
  std::string name_space;
  friend bool operator==(const ServiceRef&, const ServiceRef&) = default;
};

struct Cluster {
  enum class Type : std::uint8_t { kStatic, kStrictDns, kLogicalDns, kEds, kOriginalDst };
  std::string name;
  Type type = Type::kStatic;
  std::string alt_stat_name;
  std::string eds_service_name;  // kEds; empty: the cluster's name
  // How long it waits for its endpoints; 0 = for ever; none: as usual.
  std::optional<Duration> eds_fetch_timeout;
  ClusterLoadAssignment load_assignment;  // kStatic, kStrictDns, kLogicalDns
  Duration connect_timeout = std::chrono::seconds(5);
  std::uint32_t per_connection_buffer_limit = 1024 * 1024;
  LbConfig lb;
  CircuitBreakers circuit_breakers;  // default priority
  std::optional<CircuitBreakers> high_priority_breakers;
  std::optional<OutlierDetection> outlier_detection;
  UpstreamHttpOptions http;
  std::optional<UpstreamTlsContext> tls;                       // when no transport_socket_match matches
  std::vector<TransportSocketMatch> transport_socket_matches;  // the first that matches the endpoint
  DnsLookupFamily dns_lookup_family = DnsLookupFamily::kAuto;
  Duration dns_refresh_rate = std::chrono::seconds(5);
  std::optional<DnsFailureRefreshRate> dns_failure_refresh_rate;  // none: dns_refresh_rate
  bool respect_dns_ttl = false;
  Duration dns_jitter{};  // a name is asked for later by a part of this
  std::optional<OriginalDstConfig> original_dst;
  Duration cleanup_interval = std::chrono::seconds(5);  // kOriginalDst: idle hosts go after this
  std::optional<io::SocketAddress> bind_address;        // upstream_bind_config: 127.0.0.6 towards the application
  std::vector<io::SocketAddress> extra_bind_addresses;  // for the other family
  std::optional<TcpKeepAlive> tcp_keep_alive;
  bool set_local_interface_name_on_upstream_connections = false;
  bool ignore_health_on_host_removal = false;
  // Metadata.
  std::vector<ServiceRef> istio_services;
  std::optional<std::uint16_t> istio_default_original_port;
  std::string istio_config;       // Kubernetes path of the DestinationRule
  bool pin_original_dst = false;  // plait.dev: pin_original_dst (headless services, semantics.md 2)
  // plait.dev: refused_by. The policy because of which nothing is sent, as details call it:
  // "invalid_policy[default/db]-kind[DestinationRule]". Such a cluster is kStatic, without endpoints.
  std::string refused_by;
  friend bool operator==(const Cluster&, const Cluster&) = default;
};

}  // namespace plait::xds
