#pragma once
// Istio's DestinationRule: how traffic to a host is sent, and its subsets.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/model/locality.h"
#include "control/model/meta.h"
#include "core/base/time.h"
#include "core/yaml/node.h"

namespace plait::control::model {

struct ConsistentHash {
  enum class Key : std::uint8_t { kHeader, kCookie, kSourceIp, kQueryParameter };
  Key key = Key::kHeader;
  std::string name = {};
  std::string cookie_path = {};
  std::optional<Duration> cookie_ttl = {};
  std::vector<std::pair<std::string, std::string>> cookie_attributes = {};
  bool maglev = false;
  std::uint64_t minimum_ring_size = 1024;
  std::uint64_t table_size = 65537;
  friend bool operator==(const ConsistentHash&, const ConsistentHash&) = default;
};

struct LoadBalancer {
  enum class Simple : std::uint8_t { kLeastRequest, kRoundRobin, kRandom, kPassthrough };
  Simple simple = Simple::kLeastRequest;
  std::optional<ConsistentHash> consistent_hash = {};
  std::optional<Duration> warmup = {};
  double warmup_minimum_percent = 10;
  double warmup_aggression = 1;
  std::optional<LocalityBalancing> locality = {};  // none: the mesh's
  friend bool operator==(const LoadBalancer&, const LoadBalancer&) = default;
};

// 0 and nullopt: the default.
struct ConnectionPool {
  std::uint32_t max_connections = 0;
  std::optional<Duration> connect_timeout = {};
  std::optional<Duration> tcp_idle_timeout = {};
  std::optional<Duration> max_connection_duration = {};
  std::optional<std::uint32_t> keep_alive_probes = {};
  std::optional<Duration> keep_alive_time = {};
  std::optional<Duration> keep_alive_interval = {};
  std::uint32_t http1_max_pending_requests = 0;
  std::uint32_t http2_max_requests = 0;
  std::uint32_t max_requests_per_connection = 0;
  std::uint32_t max_retries = 0;
  std::optional<Duration> http_idle_timeout = {};
  bool upgrade_to_h2 = false;
  bool use_client_protocol = false;
  std::uint32_t max_concurrent_streams = 0;
  friend bool operator==(const ConnectionPool&, const ConnectionPool&) = default;
};

struct OutlierDetection {
  std::optional<std::uint32_t> consecutive_5xx = {};
  std::optional<std::uint32_t> consecutive_gateway_errors = {};
  std::optional<std::uint32_t> consecutive_local_origin_failures = {};
  bool split_local_origin = false;
  std::optional<Duration> interval = {};
  std::optional<Duration> base_ejection_time = {};
  std::uint32_t max_ejection_percent = 0;
  std::uint32_t min_health_percent = 0;
  friend bool operator==(const OutlierDetection&, const OutlierDetection&) = default;
};

struct ClientTls {
  // kUnusable: what was asked for is invalid. Nothing is sent then, since plaintext would be less.
  enum class Mode : std::uint8_t { kDisable, kSimple, kMutual, kIstioMutual, kUnusable };
  Mode mode = Mode::kDisable;
  std::string client_certificate = {};  // files of the client's proxy
  std::string private_key = {};
  std::string ca_certificates = {};
  std::vector<std::string> subject_alt_names = {};
  std::string sni = {};
  bool insecure_skip_verify = false;
  friend bool operator==(const ClientTls&, const ClientTls&) = default;
};

struct RetryBudget {
  double percent = 20;
  std::uint32_t min_retry_concurrency = 3;
  friend bool operator==(const RetryBudget&, const RetryBudget&) = default;
};

// Fields that are not set fall back to the less specific policy (subset, host, mesh); of an entry of `ports`, which has
// the first four, to the default.
struct TrafficPolicy {
  std::optional<LoadBalancer> load_balancer = {};
  std::optional<ConnectionPool> connection_pool = {};
  std::optional<OutlierDetection> outlier_detection = {};
  std::optional<ClientTls> tls = {};
  std::optional<RetryBudget> retry_budget = {};
  std::vector<std::pair<std::uint16_t, TrafficPolicy>> ports = {};
  friend bool operator==(const TrafficPolicy&, const TrafficPolicy&) = default;
};
// What is in force at `port`, as Istio decides it: `subset` (null: the whole host) lies over the host's policy field by
// field; in each of the two an entry for the port stands in place of the load balancer, connection pool, outlier
// detection and TLS around it, also by what it leaves out.
TrafficPolicy PolicyForPort(const TrafficPolicy& host, const TrafficPolicy* subset, std::uint16_t port);

struct Subset {
  std::string name = {};
  Labels labels = {};
  TrafficPolicy policy = {};
  yaml::Mark at = {};
  friend bool operator==(const Subset&, const Subset&) = default;
};

struct DestinationRule {
  Meta meta = {};
  std::string host = {};
  Place host_at = {};
  TrafficPolicy policy = {};
  std::vector<Subset> subsets = {};
  std::vector<std::string> export_to = {};
  Labels workload_selector = {};  // of the client; empty: every client
  friend bool operator==(const DestinationRule&, const DestinationRule&) = default;
  const Subset* FindSubset(std::string_view name) const noexcept;
};

}  // namespace plait::control::model
