#pragma once
// The gauges that are read off the process when somebody asks for statistics: server.*, how many listeners and clusters
// there are, and the line to the control plane. Main thread.
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "proxy/admin/admin_state.h"
#include "proxy/record/log_writer.h"
#include "proxy/record/proxy_stats.h"
#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {

class ProcessStats {
 public:
  struct Now {
    admin::ServerInfo info;
    std::uint32_t connections = 0;
    std::size_t access_logs_not_open = 0;
    record::LogCounts access_logs;
    MonotonicTime time{};
    WallTime wall{};
    std::optional<bool> connected;  // to the control plane; nullopt: there is none
    std::function<std::vector<admin::CertificateEntry>()> certificates;
  };
  explicit ProcessStats(telemetry::Registry& registry);
  // Certificates are looked at once a minute: a gateway has many.
  void Refresh(const Now& now, const ConfigStore& store);

 private:
  void CountFiles(const record::LogCounts& now);
  telemetry::Registry& registry_;
  const record::ServerStats server_;
  const record::FilesystemStats files_;
  record::LogCounts counted_;  // in files_
  std::optional<record::BuildStats> build_;
  const record::ListenerManagerStats listeners_;
  const record::ClusterManagerStats clusters_;
  std::optional<record::ControlPlaneStats> control_plane_;
  std::optional<MonotonicTime> looked_at_certificates_;
};

}  // namespace plait::proxy::worker
