#pragma once
// Envoy's statistics of connection managers, TCP proxies, listeners and the process, as telemetry groups with Envoy's
// names: http.<prefix>.downstream_rq_total, tcp.<prefix>.downstream_cx_total, listener.<address>.downstream_cx_total,
// server.live. Made with the configuration they belong to; those of the same name are the same (one for all workers,
// and for a configuration and its next version). Counting is for any thread.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/io/address.h"
#include "core/telemetry/registry.h"

namespace plait::proxy::record {

// The statistics of one schema; `Stat` counts its entries. A copy counts in the same place.
template <class Stat>
class Stats {
 public:
  explicit Stats(std::shared_ptr<const telemetry::Group> group) : group_(std::move(group)) {}
  void Add(Stat stat, std::uint64_t n = 1) const noexcept { group_->Add(static_cast<std::size_t>(stat), n); }
  void AddGauge(Stat stat, std::int64_t n) const noexcept { group_->AddGauge(static_cast<std::size_t>(stat), n); }
  // Only one thread may set a given gauge.
  void Set(Stat stat, std::uint64_t value) const noexcept { group_->SetGauge(static_cast<std::size_t>(stat), value); }
  void Record(Stat stat, double value) const noexcept { group_->Record(static_cast<std::size_t>(stat), value); }
  std::uint64_t Value(Stat stat) const { return group_->Value(static_cast<std::size_t>(stat)); }

 private:
  std::shared_ptr<const telemetry::Group> group_;
};

enum class HttpStat : std::uint8_t {
  kCxTotal,
  kCxActive,
  kCxHttp1Total,
  kCxHttp1Active,
  kCxHttp2Total,
  kCxHttp2Active,
  kCxSslTotal,
  kCxSslActive,
  kCxDestroy,
  kCxDestroyLocal,
  kCxDestroyRemote,
  kCxDestroyActiveRq,
  kCxDestroyLocalActiveRq,
  kCxDestroyRemoteActiveRq,
  kCxIdleTimeout,
  kCxMaxDurationReached,
  kCxMaxRequestsReached,
  kCxProtocolError,
  kCxDrainClose,
  kCxRxBytes,
  kCxTxBytes,
  kCxLength,
  kRqTotal,
  kRqActive,
  kRqHttp1Total,
  kRqHttp2Total,
  kRqCompleted,
  kRq1xx,
  kRq2xx,
  kRq3xx,
  kRq4xx,
  kRq5xx,
  kRqRxReset,
  kRqTxReset,
  kRqTimeout,
  kRqIdleTimeout,
  kRqMaxDurationReached,
  kRqHeaderTimeout,
  kRqNonRelativePath,
  kRqFailedPathNormalization,
  kRqRedirectedWithNormalizedPath,
  kRqWsOnNonWsRoute,
  kRqTime,
  kNoRoute,
  kNoCluster,
  kRqDirectResponse,
  kRqRouted,
  kCount,
};
// Of the answers of a connection manager behind one listener: listener.<address>.http.<prefix>.downstream_rq_2xx.
enum class ListenerHttpStat : std::uint8_t { kRqCompleted, kRq1xx, kRq2xx, kRq3xx, kRq4xx, kRq5xx, kCount };
class HttpStats : public Stats<HttpStat> {
 public:
  // `listener`: the name of the ListenerStats of the listener it belongs to; empty: to none.
  HttpStats(telemetry::Registry& registry, std::string_view stat_prefix, std::string_view listener = {});
  // A response began: downstream_rq_completed and its class.
  void Completed(std::uint16_t status) const noexcept;

 private:
  std::optional<Stats<ListenerHttpStat>> of_listener_;
};

enum class TcpStat : std::uint8_t { kCxTotal, kCxNoRoute, kRxBytes, kTxBytes, kIdleTimeout, kMaxDuration, kCount };
class TcpStats : public Stats<TcpStat> {
 public:
  TcpStats(telemetry::Registry& registry, std::string_view stat_prefix);
};

enum class ListenerStat : std::uint8_t {
  kCxTotal,
  kCxActive,
  kCxDestroy,
  kCxLength,
  kCxTransportTimeout,  // the handshake took too long
  kPreCxActive,         // before its filter chain is chosen
  kPreCxTimeout,
  kFilterRemoteClose,  // gone before its filter chain was chosen
  kNoFilterChainMatch,
  kSslHandshake,
  kSslNoCertificate,  // handshakes without a certificate of the client
  kSslConnectionError,
  kSslFailVerifyError,
  kSslFailVerifyNoCert,
  kCount,
};
class ListenerStats : public Stats<ListenerStat> {
 public:
  // `name`: what stands behind "listener.", StatNameOf the address or the listener's stat_prefix.
  ListenerStats(telemetry::Registry& registry, std::string_view name);
  void HandshakeDone(bool client_certificate) const noexcept;
  // `failure`: tls::FailureOf the stream; empty: there was no handshake.
  void HandshakeFailed(std::string_view failure) const noexcept;
};
std::string StatNameOf(const io::SocketAddress& address);  // "0.0.0.0_15006", "[__1]_80"

enum class ServerStat : std::uint8_t {
  kLive,
  kState,
  kUptime,
  kConcurrency,
  kVersion,
  kTotalConnections,
  kMemoryAllocated,
  kMemoryHeapSize,
  kMemoryPhysicalSize,
  kDaysUntilFirstCertExpiring,
  kHotRestartEpoch,
  kAccessLogsNotOpen,
  kCount,
};
class ServerStats : public Stats<ServerStat> {
 public:
  explicit ServerStats(telemetry::Registry& registry);
};

// Of access logs: what is counted is blocks of lines.
enum class FilesystemStat : std::uint8_t {
  kWriteBuffered,
  kWriteCompleted,
  kWriteFailed,
  kReopenFailed,
  kWriteTotalBuffered,
  kCount,
};
class FilesystemStats : public Stats<FilesystemStat> {
 public:
  explicit FilesystemStats(telemetry::Registry& registry);
};

enum class BuildStat : std::uint8_t { kBuild, kCount };
// Istio's istio_build{component="proxy",tag="<version>"}, always 1.
class BuildStats : public Stats<BuildStat> {
 public:
  BuildStats(telemetry::Registry& registry, std::string_view version);
};

enum class ListenerManagerStat : std::uint8_t {
  kAdded,
  kModified,
  kRemoved,
  kStopped,
  kCreateSuccess,  // of each worker
  kCreateFailure,
  kTotalActive,
  kTotalWarming,
  kWorkersStarted,
  kCount,
};
class ListenerManagerStats : public Stats<ListenerManagerStat> {
 public:
  explicit ListenerManagerStats(telemetry::Registry& registry);
};

enum class ClusterManagerStat : std::uint8_t { kAdded, kModified, kRemoved, kActive, kWarming, kCount };
class ClusterManagerStats : public Stats<ClusterManagerStat> {
 public:
  explicit ClusterManagerStats(telemetry::Registry& registry);
};

enum class SubscriptionStat : std::uint8_t { kAttempt, kSuccess, kRejected, kFailure, kTime, kVersion, kCount };
class SubscriptionStats : public Stats<SubscriptionStat> {
 public:
  enum class Of : std::uint8_t { kListeners, kClusters };  // listener_manager.lds. and cluster_manager.cds.
  SubscriptionStats(telemetry::Registry& registry, Of of);
};

enum class ControlPlaneStat : std::uint8_t { kConnected, kCount };
class ControlPlaneStats : public Stats<ControlPlaneStat> {
 public:
  explicit ControlPlaneStats(telemetry::Registry& registry);
};

}  // namespace plait::proxy::record
