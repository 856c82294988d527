#pragma once
// The proxy's own HTTP endpoints, each a handler for a conn::HttpServer on the main thread: Envoy's admin (15000),
// metrics (15090) and readiness (15021). The agent's port (15020) is in agent.h; docs/admin.md lists all of them.
#include "core/conn/http_server.h"
#include "proxy/admin/admin_state.h"

namespace plait::proxy::admin {

// 127.0.0.1:15000. GET for pages, POST for what changes something, as in Envoy.
conn::OnRequest AdminHandler(AdminState& state);
// :15090 /stats/prometheus
conn::OnRequest MetricsHandler(AdminState& state);
// :15021 /healthz/ready
conn::OnRequest ReadyHandler(AdminState& state);

// "LIVE" with 200, or the state with 503.
conn::Response ReadyPage(AdminState& state);

}  // namespace plait::proxy::admin
