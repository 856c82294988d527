#pragma once
// The pages of Envoy's admin interface as texts; pure but for what AdminState reads. admin.cc has the table of paths.
#include <string>
#include <vector>

#include "proxy/admin/admin_state.h"

namespace plait::proxy::admin {

std::string_view StateName(ServerState state) noexcept;  // "LIVE"
std::string ServerInfoJson(const ServerInfo& info);
std::string ClustersText(const std::vector<ClusterInfo>& clusters);
std::string ClustersJson(const std::vector<ClusterInfo>& clusters);
std::string ListenersText(const std::vector<ListenerInfo>& listeners);
std::string ListenersJson(const std::vector<ListenerInfo>& listeners);
std::string CertificatesJson(const std::vector<CertificateEntry>& certificates, WallTime now);
struct MemoryUse {  // bytes
  std::uint64_t allocated = 0, heap_size = 0, free = 0, physical = 0;
};
MemoryUse ReadMemoryUse();
std::string MemoryJson();
std::string RuntimeJson();  // Plait has no runtime: no layer and no entry

}  // namespace plait::proxy::admin
