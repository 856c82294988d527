#pragma once
// The agent's port (15020): metrics of the proxy and of its application in one answer, readiness, and the end of the
// proxy. Mirrors Istio's pilot-agent status server.
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/conn/http_server.h"
#include "proxy/admin/admin_state.h"

namespace plait::proxy::admin {

// Where the application has metrics of its own, on its loopback addresses.
struct ApplicationMetrics {
  Port port{80};
  std::string path = "/metrics";
  friend bool operator==(const ApplicationMetrics&, const ApplicationMetrics&) = default;
};
// Node metadata ISTIO_PROMETHEUS_ANNOTATIONS: the pod's prometheus.io annotations as Istio's injector writes them,
// {"scrape":"true","port":"9080","path":"/metrics"}, each of them optional. Nothing when `scrape` is "false" or the
// text is empty. Errors name the field.
Outcome<std::optional<ApplicationMetrics>> ReadScrapeAnnotations(std::string_view json);

// /stats/prometheus and /metrics: the proxy's series, then the application's; an application that does not answer in
// time, with 200 or within 8 MiB leaves a comment and a count (istio_agent_scrape_failures_total) instead.
// /healthz/ready. POST /quitquitquit and POST /drain, from the loopback address only.
conn::OnRequest AgentHandler(io::Loop& loop, AdminState& state, std::optional<ApplicationMetrics> application);

}  // namespace plait::proxy::admin
