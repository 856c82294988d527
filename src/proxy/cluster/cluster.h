#pragma once
// A cluster as workers see it: configuration, hosts by priority, limits and statistics. `Cluster` is an immutable
// snapshot; each change of configuration, endpoints or health makes a new one that shares ClusterState with the old.
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/telemetry/registry.h"
#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"
#include "proxy/cluster/limits.h"
#include "proxy/cluster/response_codes.h"

namespace plait::proxy::cluster {

// Envoy's cluster statistics, as offsets into the cluster's telemetry group: Add(stats, kUpstreamRqTotal).
enum class ClusterStat : std::uint8_t {
  kUpstreamCxTotal,
  kUpstreamCxActive,
  kUpstreamCxHttp1Total,
  kUpstreamCxHttp2Total,
  kUpstreamCxConnectFail,
  kUpstreamCxConnectTimeout,
  kUpstreamCxOverflow,
  kUpstreamCxDestroy,
  kUpstreamCxDestroyLocal,
  kUpstreamCxDestroyRemote,
  kUpstreamCxDestroyWithActiveRq,
  kUpstreamCxDestroyLocalWithActiveRq,
  kUpstreamCxDestroyRemoteWithActiveRq,
  kUpstreamCxMaxDurationReached,
  kUpstreamCxRxBytesTotal,
  kUpstreamCxTxBytesTotal,
  kUpstreamCxIdleTimeout,
  kUpstreamCxMaxRequests,
  kUpstreamCxNoneHealthy,
  kUpstreamCxProtocolError,
  kUpstreamCxCloseNotify,
  kUpstreamRqTotal,
  kUpstreamRqActive,
  kUpstreamRqPendingTotal,
  kUpstreamRqPendingActive,
  kUpstreamRqPendingOverflow,
  kUpstreamRqActiveOverflow,
  kUpstreamRqPendingFailureEject,
  kUpstreamRqCancelled,
  kUpstreamRqTimeout,
  kUpstreamRqPerTryTimeout,
  kUpstreamRqMaxDurationReached,
  kUpstreamRqRxReset,
  kUpstreamRqTxReset,
  kUpstreamRqRetry,
  kUpstreamRqRetrySuccess,
  kUpstreamRqRetryOverflow,
  kUpstreamRqRetryLimitExceeded,
  kUpstreamRqRetryBackoffExponential,
  kUpstreamRqCompleted,
  kUpstreamRq1xx,
  kUpstreamRq2xx,
  kUpstreamRq3xx,
  kUpstreamRq4xx,
  kUpstreamRq5xx,
  kUpstreamRqTime,       // histogram, milliseconds
  kUpstreamCxConnectMs,  // histogram
  kLbHealthyPanic,
  kBindErrors,
  kOutlierEjectionsActive,
  kOutlierEjectionsEnforcedTotal,
  kOutlierEjectionsConsecutive5xx,
  kOutlierEjectionsConsecutiveGatewayFailure,
  kOutlierEjectionsOverflow,
  kSslHandshake,
  kSslConnectionError,
  kSslFailVerifyError,
  kSslFailVerifySan,
  kDefaultCxOpen,  // circuit_breakers.default.: 1 while the limit is reached; set by ShowLimits
  kDefaultCxPoolOpen,
  kDefaultRqOpen,
  kDefaultRqPendingOpen,
  kDefaultRqRetryOpen,
  kHighCxOpen,  // circuit_breakers.high., in the same order
  kHighCxPoolOpen,
  kHighRqOpen,
  kHighRqPendingOpen,
  kHighRqRetryOpen,
  kCount,
};

// Envoy's statistics of the hosts, which every cluster has from its start: a group of their own, so that a cluster
// without traffic has no cells for the others.
enum class MembershipStat : std::uint8_t {
  kTotal,
  kHealthy,
  kDegraded,
  kExcluded,
  kChange,
  kUpdateAttempt,  // DNS clusters: names that were asked for
  kUpdateSuccess,
  kUpdateFailure,
  kUpdateNoRebuild,
  kCount,
};

class OutlierDetector;  // outlier.h

// What lives as long as the name is configured, whatever happens to configuration and endpoints.
struct ClusterState {
  ClusterState(telemetry::Registry& registry, std::string_view stat_name);
  std::array<ClusterLimits, 2> limits;  // by xds::RoutingPriority
  const telemetry::Labels labels;       // cluster_name: the name in statistics
  telemetry::Group stats;
  telemetry::Group membership;
  std::shared_ptr<OutlierDetector> outlier;  // null: never configured
  void Add(ClusterStat stat, std::uint64_t n = 1) const noexcept;
  void Add(MembershipStat stat) const noexcept;
  void SetGauge(MembershipStat stat, std::uint64_t value) const noexcept;  // main thread
  void AddGauge(ClusterStat stat, std::int64_t n) const noexcept;
  void Record(ClusterStat stat, double value) const noexcept;
  // upstream_rq_completed, upstream_rq_<class> and upstream_rq_<code>.
  void CountResponse(std::uint16_t status) const noexcept;
  // An answer that is not passed on, since the request is tried again: the same below retry.
  void CountRetried(std::uint16_t status) const noexcept { codes_.CountRetried(status); }
  // Main thread: what circuit breakers allow has changed. circuit_breakers.<priority>.remaining_* exist only for those
  // that track them.
  void Configure(const xds::Cluster& config);
  // Main thread, before a scrape: circuit_breakers.* as they are now.
  void ShowLimits();

 private:
  telemetry::Registry& registry_;
  mutable ResponseCodes codes_;
  std::array<telemetry::Group, 2> remaining_;  // empty: not tracked
  std::uint32_t shown_open_ = 0;               // the circuit_breakers gauges that are 1
};

struct PriorityHosts {
  std::vector<HostPtr> all;
  std::vector<HostPtr> idle;        // of localities without weight, where the cluster balances by it: they take no load
  std::vector<HostPtr> usable;      // outside of panic; degraded hosts only when there is no other
  std::vector<double> all_weights;  // locality weights; both empty unless the cluster balances by them
  std::vector<double> usable_weights;
  std::uint32_t load = 0;  // percent of requests that this priority takes
  bool panic = false;      // balances over `all`
};

struct Cluster {
  std::shared_ptr<const xds::Cluster> config;
  std::shared_ptr<ClusterState> state;
  std::vector<PriorityHosts> priorities;
  std::map<io::SocketAddress, HostPtr> by_address;  // of either family; only with pin_original_dst

  const std::string& name() const noexcept { return config->name; }
  // The TLS settings for a host; null: plaintext.
  const xds::UpstreamTlsContext* TlsFor(const Host& host) const noexcept;
};
using ClusterPtr = std::shared_ptr<const Cluster>;
// All TLS contexts of a cluster: its own, then those of its transport sockets.
std::vector<const xds::UpstreamTlsContext*> TlsOf(const xds::Cluster& cluster);

// What the upstream did: for outlier detection, and of requests (answers, resets, timeouts) for the host's rq_ counts.
// Who connects counts cx_connect_fail. Any worker.
enum class LocalFailure : std::uint8_t { kConnectFailed, kConnectTimeout, kRequestTimeout, kReset };
void ReportResponse(const Cluster& cluster, const Host& host, std::uint16_t status) noexcept;
void ReportLocalFailure(const Cluster& cluster, const Host& host, LocalFailure failure) noexcept;
void ReportConnected(const Cluster& cluster, const Host& host) noexcept;  // TCP: a success
void ReportConnectedForRequests(const Cluster& cluster, const Host& host) noexcept;

}  // namespace plait::proxy::cluster
