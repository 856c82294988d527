// One request against Istio-like rules: two DENY and two ALLOW policies with principals, methods and paths.
#include <benchmark/benchmark.h>

#include "core/tls/facts.h"
#include "proxy/filters/rbac/engine.h"

namespace plait::proxy::filters {
namespace {

xds::RbacPolicy Rule(int i) {
  using xds::Permission;
  using xds::Principal;
  const std::string n = std::to_string(i);
  const Permission method{.kind = Permission::Kind::kHeader,
                          .header = {.name = ":method", .value = xds::StringMatcher{.value = "GET"}}};
  const Permission path{.kind = Permission::Kind::kUrlPath,
                        .text = {.kind = xds::StringMatcher::Kind::kPrefix, .value = "/api/" + n}};
  const Principal who{.kind = Principal::Kind::kAuthenticated,
                      .has_text = true,
                      .text = {.value = "spiffe://cluster.local/ns/default/sa/client"}};
  return {
      .name = "ns[default]-policy[p]-rule[" + n + "]",
      .permissions = {{.kind = Permission::Kind::kAnd,
                       .children = {{.kind = Permission::Kind::kOr, .children = {method}},
                                    {.kind = Permission::Kind::kOr, .children = {path}}}}},
      .principals = {{.kind = Principal::Kind::kAnd, .children = {{.kind = Principal::Kind::kOr, .children = {who}}}}}};
}

void BM_CheckRequest(benchmark::State& state) {
  xds::RbacRules rules;
  for (int i = 0; i < state.range(0); ++i) rules.policies.push_back(Rule(i));
  const auto engine = RbacEngine::Compile(rules, true).value();
  io::TlsFacts tls;
  tls.peer_certificate = true;
  tls.peer_uri_sans = {"spiffe://cluster.local/ns/default/sa/client"};
  record::ConnectionInfo connection;
  connection.tls = &tls;
  http::RequestHead head;
  head.method = "GET";
  head.path = "/api/none";
  const io::IpAddress remote;
  for (auto _ : state) benchmark::DoNotOptimize(engine->Check({connection, remote, &head}));
}
BENCHMARK(BM_CheckRequest)->Arg(4)->Arg(100);

}  // namespace
}  // namespace plait::proxy::filters
