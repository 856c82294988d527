// The route of one request among 100 virtual hosts of 100 routes each: a hit on the last route.
#include <benchmark/benchmark.h>

#include "proxy/route/route_table.h"

namespace plait::proxy::route {
namespace {
void BM_Match(benchmark::State& state) {
  auto config = std::make_shared<xds::RouteConfiguration>();
  for (int h = 0; h < 100; ++h) {
    xds::VirtualHost host{.name = "h" + std::to_string(h),
                          .domains = {"service-" + std::to_string(h) + ".default.svc.cluster.local"}};
    for (int r = 0; r < state.range(0); ++r) {
      host.routes.push_back({.match = {.path = {.value = "/api/v1/things-" + std::to_string(r)}},
                             .action = xds::RouteAction{.clusters = {{.name = "c"}}}});
    }
    config->virtual_hosts.push_back(std::move(host));
  }
  const auto table = RouteTable::Compile(config).value();
  http::RequestHead head;
  head.method = "GET";
  head.authority = "service-50.default.svc.cluster.local";
  head.path = "/api/v1/things-" + std::to_string(state.range(0) - 1) + "?q=1";
  for (auto _ : state) benchmark::DoNotOptimize(table->Match(head, {}));
}
BENCHMARK(BM_Match)->Arg(1)->Arg(10)->Arg(100);
}  // namespace
}  // namespace plait::proxy::route
