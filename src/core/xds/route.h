#pragma once
// HTTP routing: what RDS carries. Mirrors envoy.config.route.v3.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "core/xds/http_filters.h"
#include "core/xds/matcher.h"

namespace plait::xds {

struct HeaderOption {
  enum class Action : std::uint8_t { kAppendIfExistsOrAdd, kAddIfAbsent, kOverwriteIfExistsOrAdd, kOverwriteIfExists };
  std::string name;
  std::string value;  // with Envoy's %COMMAND% operators
  Action action = Action::kAppendIfExistsOrAdd;
  bool keep_empty_value = false;
  friend bool operator==(const HeaderOption&, const HeaderOption&) = default;
};

// Removals are done first, then additions; route, then virtual host, then route configuration
// (reverse with most_specific_header_mutations_wins).
struct HeaderOps {
  std::vector<HeaderOption> request_add;
  std::vector<std::string> request_remove;
  std::vector<HeaderOption> response_add;
  std::vector<std::string> response_remove;
  bool empty() const noexcept {
    return request_add.empty() && request_remove.empty() && response_add.empty() && response_remove.empty();
  }
  friend bool operator==(const HeaderOps&, const HeaderOps&) = default;
};

struct PathMatch {
  enum class Kind : std::uint8_t {
    kPrefix,
    kExact,
    kRegex,                // RE2 on the path without query, full match
    kPathSeparatedPrefix,  // "/a" matches /a and /a/b, not /ab; no trailing slash
    kConnect,              // CONNECT requests
  };
  Kind kind = Kind::kPrefix;
  std::string value = "/";
  bool case_sensitive = true;  // not for kRegex
  friend bool operator==(const PathMatch&, const PathMatch&) = default;
};

struct RouteMatch {
  PathMatch path;
  std::vector<HeaderMatcher> headers;                   // all of them
  std::vector<QueryParameterMatcher> query_parameters;  // all of them
  std::optional<Fraction> runtime_fraction;
  bool grpc = false;                  // only content-type application/grpc*
  std::optional<bool> tls_presented;  // client certificate presented
  std::optional<bool> tls_validated;
  friend bool operator==(const RouteMatch&, const RouteMatch&) = default;
};

// Conditions for trying again; a set of bits.
enum RetryOn : std::uint32_t {
  kRetry5xx = 1U << 0,
  kRetryGatewayError = 1U << 1,
  kRetryReset = 1U << 2,
  kRetryResetBeforeRequest = 1U << 3,
  kRetryConnectFailure = 1U << 4,
  kRetryRetriable4xx = 1U << 5,
  kRetryRefusedStream = 1U << 6,
  kRetryRetriableStatusCodes = 1U << 7,
  kRetryRetriableHeaders = 1U << 8,
  kRetryEnvoyRateLimited = 1U << 9,
  kRetryHttp3PostConnectFailure = 1U << 10,  // never happens; accepted
  kRetryGrpcCancelled = 1U << 16,
  kRetryGrpcDeadlineExceeded = 1U << 17,
  kRetryGrpcResourceExhausted = 1U << 18,
  kRetryGrpcUnavailable = 1U << 19,
  kRetryGrpcInternal = 1U << 20,
};
// "5xx,connect-failure" -> bits; nullopt for an unknown word (copied to `unknown`). Also for x-envoy-retry-on.
std::optional<std::uint32_t> ParseRetryOn(std::string_view text, std::string* unknown = nullptr);
std::string FormatRetryOn(std::uint32_t bits);

struct RetryPolicy {
  std::uint32_t retry_on = 0;  // bits of RetryOn
  std::uint32_t num_retries = 1;
  std::optional<Duration> per_try_timeout;
  std::optional<Duration> per_try_idle_timeout;
  std::vector<std::uint16_t> retriable_status_codes;
  std::vector<HeaderMatcher> retriable_headers;
  std::vector<HeaderMatcher> retriable_request_headers;
  Duration back_off_base = std::chrono::milliseconds(25);
  std::optional<Duration> back_off_max;  // default: 10 x base
  bool avoid_previous_hosts = false;     // envoy.retry_host_predicates.previous_hosts
  std::uint32_t host_selection_max_attempts = 1;
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

struct HashPolicy {
  enum class Kind : std::uint8_t { kHeader, kCookie, kSourceIp, kQueryParameter };
  Kind kind = Kind::kHeader;
  std::string name;                     // header, cookie, query parameter
  std::optional<RegexRewrite> rewrite;  // kHeader
  std::optional<Duration> cookie_ttl;   // kCookie: made when absent; 0s = session cookie
  std::string cookie_path;
  std::vector<std::pair<std::string, std::string>> cookie_attributes;
  bool terminal = false;
  friend bool operator==(const HashPolicy&, const HashPolicy&) = default;
};

struct MirrorPolicy {
  std::string cluster;
  Fraction fraction;
  bool disable_shadow_host_suffix_append = false;
  friend bool operator==(const MirrorPolicy&, const MirrorPolicy&) = default;
};

// Settings of a filter for a route, virtual host or weighted cluster, by the filter's name.
using PerFilterConfig = std::map<std::string, HttpFilterOverride>;

struct WeightedCluster {
  std::string name;
  std::uint32_t weight = 1;
  std::string host_rewrite;
  HeaderOps headers;
  PerFilterConfig per_filter;
  friend bool operator==(const WeightedCluster&, const WeightedCluster&) = default;
};

struct HostRewrite {
  enum class Kind : std::uint8_t { kNone, kLiteral, kAuto, kHeader, kPathRegex };
  Kind kind = Kind::kNone;
  std::string value;   // literal or header name
  RegexRewrite regex;  // kPathRegex
  friend bool operator==(const HostRewrite&, const HostRewrite&) = default;
};

struct MaxStreamDuration {
  std::optional<Duration> max_stream_duration;
  std::optional<Duration> grpc_timeout_header_max;  // 0s: the header alone decides
  std::optional<Duration> grpc_timeout_header_offset;
  friend bool operator==(const MaxStreamDuration&, const MaxStreamDuration&) = default;
};

struct UpgradeConfig {
  std::string type;  // "websocket", "CONNECT"; matched without case
  bool enabled = true;
  friend bool operator==(const UpgradeConfig&, const UpgradeConfig&) = default;
};

enum class RoutingPriority : std::uint8_t { kDefault, kHigh };

struct RouteAction {
  // One entry for a single cluster. Weights sum to > 0. Empty only with `cluster_header`.
  std::vector<WeightedCluster> clusters;
  std::string cluster_header;  // the request header that names the cluster
  std::uint16_t cluster_not_found_status = 503;
  std::string prefix_rewrite;  // replaces what the path match matched; empty: none
  std::optional<RegexRewrite> regex_rewrite;
  HostRewrite host_rewrite;
  bool append_x_forwarded_host = false;
  std::optional<Duration> timeout;       // default 15 s; 0 = none
  std::optional<Duration> idle_timeout;  // default: the connection manager's stream idle timeout; 0 = none
  std::optional<MaxStreamDuration> max_stream_duration;  // with it `timeout` does not count
  std::optional<Duration> max_grpc_timeout;  // without it, of gRPC calls: 0s, their own deadline alone decides
  std::optional<RetryPolicy> retry;
  std::vector<MirrorPolicy> mirrors;
  std::vector<HashPolicy> hash;
  std::vector<UpgradeConfig> upgrades;
  RoutingPriority priority = RoutingPriority::kDefault;
  friend bool operator==(const RouteAction&, const RouteAction&) = default;
};

struct RedirectAction {
  bool https_redirect = false;
  std::string scheme;  // overrides https_redirect
  std::string host;
  std::uint32_t port = 0;
  std::string path;  // whole path (may carry a query); at most one of path, prefix_rewrite, regex_rewrite
  std::string prefix_rewrite;
  std::optional<RegexRewrite> regex_rewrite;
  std::uint16_t status = 301;  // 301, 302, 303, 307, 308
  bool strip_query = false;
  friend bool operator==(const RedirectAction&, const RedirectAction&) = default;
};

struct DirectResponse {
  std::uint16_t status = 200;  // 200..599
  DataSource body;
  friend bool operator==(const DirectResponse&, const DirectResponse&) = default;
};

// Matches, but the connection manager must not forward (non_forwarding_action): a filter answers.
struct NonForwarding {
  friend bool operator==(const NonForwarding&, const NonForwarding&) = default;
};

struct Route {
  std::string name;  // %ROUTE_NAME%
  RouteMatch match;
  std::variant<RouteAction, RedirectAction, DirectResponse, NonForwarding> action;
  HeaderOps headers;
  PerFilterConfig per_filter;
  std::string operation;  // decorator: x-envoy-decorator-operation
  bool propagate_operation = true;
  std::string istio_config;  // metadata istio.config: the Kubernetes path of the object that made this route
  std::optional<std::uint32_t> per_request_buffer_limit;
  friend bool operator==(const Route&, const Route&) = default;
};

struct VirtualHost {
  enum class RequireTls : std::uint8_t { kNone, kExternalOnly, kAll };
  std::string name;
  std::vector<std::string> domains;  // "a", "a:80", "*.a", "a.*", "*"
  std::vector<Route> routes;         // the first that matches
  RequireTls require_tls = RequireTls::kNone;
  HeaderOps headers;
  PerFilterConfig per_filter;
  std::optional<RetryPolicy> retry;  // for routes without their own
  std::vector<MirrorPolicy> mirrors;
  bool include_request_attempt_count = false;  // x-envoy-attempt-count upstream
  bool include_attempt_count_in_response = false;
  std::optional<std::uint32_t> per_request_buffer_limit;
  friend bool operator==(const VirtualHost&, const VirtualHost&) = default;
};

struct RouteConfiguration {
  std::string name;
  std::vector<VirtualHost> virtual_hosts;
  HeaderOps headers;
  std::vector<std::string> internal_only_headers;  // removed from external requests
  std::optional<bool> validate_clusters;           // default: true in place, false by RDS
  bool most_specific_header_mutations_wins = false;
  bool ignore_port_in_host_matching = false;
  std::uint32_t max_direct_response_body_size = 4096;
  std::vector<MirrorPolicy> mirrors;
  PerFilterConfig per_filter;
  friend bool operator==(const RouteConfiguration&, const RouteConfiguration&) = default;
};

}  // namespace plait::xds
