#include "proxy/worker/process_stats.h"

#include <algorithm>

#include "proxy/admin/pages.h"
#include "proxy/lb/hash.h"

namespace plait::proxy::worker {
namespace {

using record::ClusterManagerStat;
using record::ListenerManagerStat;
using record::ServerStat;

// Envoy's value where there is no certificate.
constexpr std::uint64_t kNoCertificate = UINT32_MAX;

std::uint64_t DaysLeft(const std::vector<admin::CertificateEntry>& entries, WallTime now) {
  std::optional<WallTime> first;
  const auto look = [&](const std::vector<admin::CertificateInfo>& certificates) {
    for (const admin::CertificateInfo& one : certificates) first = std::min(first.value_or(one.expires), one.expires);
  };
  for (const admin::CertificateEntry& entry : entries) {
    look(entry.chain);
    look(entry.ca);
  }
  if (!first) return kNoCertificate;
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::days>(*first - now).count(), 0));
}

// Of 24 bits, as Envoy's, which are of its commit: it tells versions apart.
std::uint64_t NumberOf(const std::string& version) { return lb::Hash64(version) >> 40; }

}  // namespace

ProcessStats::ProcessStats(telemetry::Registry& registry)
    : registry_(registry), server_(registry), files_(registry), listeners_(registry), clusters_(registry) {}

void ProcessStats::Refresh(const Now& now, const ConfigStore& store) {
  if (!build_) build_.emplace(registry_, now.info.version);
  const bool live = now.info.state == admin::ServerState::kLive;
  server_.Set(ServerStat::kLive, live ? 1 : 0);
  server_.Set(ServerStat::kState, static_cast<std::uint64_t>(now.info.state));
  server_.Set(ServerStat::kUptime,
              static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.info.uptime).count()));
  server_.Set(ServerStat::kConcurrency, now.info.concurrency);
  server_.Set(ServerStat::kVersion, NumberOf(now.info.version));
  server_.Set(ServerStat::kTotalConnections, now.connections);
  server_.Set(ServerStat::kAccessLogsNotOpen, now.access_logs_not_open);
  CountFiles(now.access_logs);
  const admin::MemoryUse memory = admin::ReadMemoryUse();
  server_.Set(ServerStat::kMemoryAllocated, memory.allocated);
  server_.Set(ServerStat::kMemoryHeapSize, memory.heap_size);
  server_.Set(ServerStat::kMemoryPhysicalSize, memory.physical);
  if (!looked_at_certificates_ || now.time - *looked_at_certificates_ >= std::chrono::minutes(1)) {
    looked_at_certificates_ = now.time;
    server_.Set(ServerStat::kDaysUntilFirstCertExpiring, DaysLeft(now.certificates(), now.wall));
  }
  listeners_.Set(ListenerManagerStat::kTotalActive, store.active_listeners());
  listeners_.Set(ListenerManagerStat::kTotalWarming, store.warming_listeners());
  listeners_.Set(ListenerManagerStat::kWorkersStarted, now.info.state == admin::ServerState::kInitializing ? 0 : 1);
  const std::vector<cluster::ClusterPtr> clusters = store.clusters().All();
  for (const cluster::ClusterPtr& one : clusters) one->state->ShowLimits();
  clusters_.Set(ClusterManagerStat::kActive, clusters.size());
  clusters_.Set(ClusterManagerStat::kWarming, store.clusters().AllWarming().size());
  if (!now.connected) return;
  if (!control_plane_) control_plane_.emplace(registry_);
  control_plane_->Set(record::ControlPlaneStat::kConnected, *now.connected ? 1 : 0);
}

// Differences: counters may have been set back.
void ProcessStats::CountFiles(const record::LogCounts& now) {
  using record::FilesystemStat;
  files_.Add(FilesystemStat::kWriteBuffered, now.handed - counted_.handed);
  files_.Add(FilesystemStat::kWriteCompleted, now.written - counted_.written);
  files_.Add(FilesystemStat::kWriteFailed, now.lost - counted_.lost);
  files_.Add(FilesystemStat::kReopenFailed, now.not_reopened - counted_.not_reopened);
  files_.Set(FilesystemStat::kWriteTotalBuffered, now.waiting);
  counted_ = now;
}

}  // namespace plait::proxy::worker
