#pragma once
// Envoy's statistics of connection managers, TCP proxies, listeners and the server, as telemetry groups with Envoy's
// names: http.<prefix>.downstream_rq_total, tcp.<prefix>.downstream_cx_total, listener.<address>.downstream_cx_total,
// server.live. Made with the configuration they belong to (one group for all workers); counting is for any thread.
#include <cstdint>
#include <string_view>

#include "core/telemetry/registry.h"

namespace plait::proxy::record {

enum class HttpStat : std::uint8_t {
  kCxTotal,
  kCxActive,
  kCxHttp1Total,
  kCxHttp2Total,
  kCxSslTotal,
  kCxDestroy,
  kCxIdleTimeout,
  kCxMaxDurationReached,
  kCxProtocolError,
  kCxDrainClose,
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
  kRqTooLarge,
  kRqHeaderTimeout,
  kRqNonRelativePath,
  kRqOverloadClose,
  kRqWsOnNonWsRoute,
  kNoRoute,
  kNoCluster,
  kRqRedirect,
  kRqDirectResponse,
  kRqRouted,
  kRqTime,
};
class HttpStats {
 public:
  HttpStats(telemetry::Registry& registry, std::string_view stat_prefix);
  void Add(HttpStat stat, std::uint64_t n = 1) const noexcept { group_.Add(static_cast<std::size_t>(stat), n); }
  void AddGauge(HttpStat stat, std::int64_t n) const noexcept { group_.AddGauge(static_cast<std::size_t>(stat), n); }
  // downstream_rq_completed, the status class, and the time.
  void Completed(std::uint16_t status, double milliseconds) const noexcept;

 private:
  telemetry::Group group_;
};

enum class TcpStat : std::uint8_t {
  kCxTotal,
  kCxActive,
  kCxNoRoute,
  kRxBytes,
  kTxBytes,
  kIdleTimeout,
  kMaxDurationReached
};
class TcpStats {
 public:
  TcpStats(telemetry::Registry& registry, std::string_view stat_prefix);
  void Add(TcpStat stat, std::uint64_t n = 1) const noexcept { group_.Add(static_cast<std::size_t>(stat), n); }
  void AddGauge(TcpStat stat, std::int64_t n) const noexcept { group_.AddGauge(static_cast<std::size_t>(stat), n); }

 private:
  telemetry::Group group_;
};

enum class ListenerStat : std::uint8_t {
  kCxTotal,
  kCxActive,
  kCxDestroy,
  kCxOverflow,
  kNoFilterChainMatch,
  kSslHandshake,
  kSslConnectionError,
  kSslFailVerifyError,
  kSslFailVerifyNoCert,
  kPreCxTimeout,
};
class ListenerStats {
 public:
  // `address`: "0.0.0.0_15006"
  ListenerStats(telemetry::Registry& registry, std::string_view address);
  void Add(ListenerStat stat, std::uint64_t n = 1) const noexcept { group_.Add(static_cast<std::size_t>(stat), n); }
  void AddGauge(ListenerStat stat, std::int64_t n) const noexcept {
    group_.AddGauge(static_cast<std::size_t>(stat), n);
  }

 private:
  telemetry::Group group_;
};

// Gauges that one thread (the main one) sets now and then.
enum class ServerStat : std::uint8_t {
  kLive,
  kState,
  kUptime,
  kConcurrency,
  kTotalConnections,
  kMemoryAllocated,
  kMemoryHeapSize,
  kDaysUntilFirstCertExpiring,
  kAccessLogDropped,
};
class ServerStats {
 public:
  explicit ServerStats(telemetry::Registry& registry);
  void Set(ServerStat stat, std::uint64_t value) const noexcept {
    group_.SetGauge(static_cast<std::size_t>(stat), value);
  }

 private:
  telemetry::Group group_;
};

}  // namespace plait::proxy::record
