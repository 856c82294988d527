#pragma once
// /stats and /stats/prometheus: the registry in Envoy's forms.
#include "core/conn/http_server.h"
#include "proxy/admin/admin_state.h"
#include "proxy/admin/parameters.h"

namespace plait::proxy::admin {

// ?usedonly, ?filter=<RE2>, ?type=Counters|Gauges|Histograms|All, ?format=text|json|prometheus.
conn::Response StatsPage(AdminState& state, const Parameters& parameters);
// The same without `format`.
conn::Response PrometheusPage(AdminState& state, const Parameters& parameters);

}  // namespace plait::proxy::admin
