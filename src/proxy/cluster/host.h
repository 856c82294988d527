#pragma once
// One endpoint of a cluster, shared by all workers through shared_ptr; it survives updates that keep its address,
// identity and transport, so that connection pools and statistics are keyed by it. Mirrors Envoy's Host.
//
// What EDS may change later (weight, health) and what runs (ejection, counts) is atomic and relaxed; the rest is
// constant.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/xds/endpoint.h"

namespace plait::proxy::cluster {

// Host statistics as /clusters shows them; process-wide.
struct HostStats {
  std::atomic<std::uint64_t> cx_total{0};
  std::atomic<std::uint64_t> cx_connect_fail{0};
  std::atomic<std::uint64_t> rq_total{0};
  std::atomic<std::uint64_t> rq_success{0};
  std::atomic<std::uint64_t> rq_error{0};
  std::atomic<std::uint64_t> rq_timeout{0};
  std::atomic<std::uint32_t> cx_active{0};
  std::atomic<std::uint32_t> rq_active{0};  // least request balances on this
};

// Which TLS settings of the cluster this host uses: an index into transport_socket_matches, or the cluster's own `tls`.
inline constexpr std::uint32_t kDefaultTransport = UINT32_MAX;

// Aligned to a cache line: its counters are written by all workers.
class alignas(64) Host {
 public:
  struct Facts {
    io::SocketAddress address;
    std::vector<io::SocketAddress> additional_addresses;
    std::string hostname;  // Endpoint.hostname, or the DNS name it was resolved from
    std::string identity;  // SPIFFE URI that its certificate must carry; empty: the cluster's SAN list decides
    std::uint32_t transport = kDefaultTransport;
    bool tls_disabled_by_index = false;  // ORIGINAL_DST host that the index knows as plaintext
    xds::Locality locality;
    std::string istio_workload;  // metadata istio: workload
    bool canary = false;         // metadata envoy.lb: canary
    friend bool operator==(const Facts&, const Facts&) = default;
  };
  Host(Facts facts, std::uint32_t weight, xds::HealthStatus health)
      : facts_(std::move(facts)), weight_(weight), health_(health) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const io::SocketAddress& address() const noexcept { return facts_.address; }
  const Facts& facts() const noexcept { return facts_; }
  std::uint32_t weight() const noexcept { return weight_.load(std::memory_order_relaxed); }
  xds::HealthStatus health() const noexcept { return health_.load(std::memory_order_relaxed); }
  bool ejected() const noexcept { return ejected_.load(std::memory_order_relaxed); }
  // May be chosen outside of panic: EDS says healthy (or nothing) and outlier detection has not ejected it.
  bool usable() const noexcept {
    const xds::HealthStatus h = health();
    return !ejected() &&
           (h == xds::HealthStatus::kHealthy || h == xds::HealthStatus::kUnknown || h == xds::HealthStatus::kDegraded);
  }
  bool degraded() const noexcept { return health() == xds::HealthStatus::kDegraded; }

  // Main thread: what EDS says now.
  void Update(std::uint32_t weight, xds::HealthStatus health) noexcept {
    weight_.store(weight, std::memory_order_relaxed);
    health_.store(health, std::memory_order_relaxed);
  }

  // The first of additional_addresses that is not in the family of address(); null: there is none.
  const io::SocketAddress* other() const noexcept {
    for (const io::SocketAddress& one : facts_.additional_addresses)
      if (one.ip.is_v4() != address().ip.is_v4()) return &one;
    return nullptr;
  }
  // Whether connections begin at other(), which took the last one (upstream/dial.h).
  bool begins_at_other() const noexcept { return begins_at_other_.load(std::memory_order_relaxed); }
  void NoteOpened(bool at_other) const noexcept {
    if (begins_at_other() != at_other) begins_at_other_.store(at_other, std::memory_order_relaxed);
  }

  // Statistics are written through const hosts, too: they are not part of what a host is.
  HostStats& stats() const noexcept { return stats_; }

 private:
  friend class OutlierDetector;
  const Facts facts_;
  std::atomic<std::uint32_t> weight_;
  std::atomic<xds::HealthStatus> health_;
  std::atomic<bool> ejected_{false};
  // Outlier detection: failures in a row, by workers; reset by a success.
  std::atomic<std::uint32_t> consecutive_5xx_{0};
  std::atomic<std::uint32_t> consecutive_gateway_{0};
  std::atomic<std::uint32_t> consecutive_local_{0};
  std::atomic<std::uint32_t> interval_total_{0};  // answers in this interval, for the success rate
  std::atomic<std::uint32_t> interval_success_{0};
  // Main thread only.
  std::uint32_t ejections_ = 0;
  MonotonicTime ejected_at_{};
  Duration ejection_jitter_{};
  mutable HostStats stats_;
  mutable std::atomic<bool> begins_at_other_{false};
};
using HostPtr = std::shared_ptr<const Host>;

}  // namespace plait::proxy::cluster
