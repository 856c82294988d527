#pragma once
// The proxy's own HTTP endpoints, each a handler for a conn::HttpServer on the main thread: Envoy's admin (15000),
// metrics (15090), readiness (15021), and the agent's port (15020).
#include <functional>
#include <optional>
#include <string>

#include "core/conn/http_server.h"
#include "proxy/admin/admin_state.h"

namespace plait::proxy::admin {

// 127.0.0.1:15000. GET for pages, POST for what changes something, as in Envoy.
conn::OnRequest AdminHandler(AdminState& state);
// :15090 /stats/prometheus
conn::OnRequest MetricsHandler(AdminState& state);
// :15021 /healthz/ready
conn::OnRequest ReadyHandler(AdminState& state);

// Where the application has metrics of its own (prometheus.io/port and /path); merged into 15020 /stats/prometheus.
struct ApplicationMetrics {
  io::SocketAddress address;
  std::string path = "/metrics";
};
// :15020 /stats/prometheus, /metrics, /healthz/ready, POST /quitquitquit (loopback only), POST /drain (loopback only).
conn::OnRequest AgentHandler(io::Loop& loop, AdminState& state, std::optional<ApplicationMetrics> application);

}  // namespace plait::proxy::admin
