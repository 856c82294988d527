#include "proxy/record/proxy_stats.h"

#include <gtest/gtest.h>

namespace plait::proxy::record {
namespace {

TEST(ProxyStats, HaveEnvoysNames) {
  telemetry::Registry registry;
  const HttpStats http(registry, "inbound_0.0.0.0_80");
  const ListenerStats listener(registry, "0.0.0.0_15006");
  const TcpStats tcp(registry, "PassthroughCluster");
  const ServerStats server(registry);
  http.Add(HttpStat::kRqTotal);
  http.Completed(404, 3);
  listener.Add(ListenerStat::kNoFilterChainMatch);
  tcp.Add(TcpStat::kTxBytes, 9);
  server.Set(ServerStat::kLive, 1);
  std::string text;
  registry.Scrape({.used_only = true}, text);
  for (const char* line :
       {"http.inbound_0.0.0.0_80.downstream_rq_total: 1\n", "http.inbound_0.0.0.0_80.downstream_rq_4xx: 1\n",
        "listener.0.0.0.0_15006.no_filter_chain_match: 1\n", "tcp.PassthroughCluster.downstream_cx_tx_bytes_total: 9\n",
        "server.live: 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  text.clear();
  registry.Scrape({.format = telemetry::Format::kPrometheus}, text);
  EXPECT_NE(
      text.find(
          "envoy_http_downstream_rq{response_code_class=\"4xx\",http_conn_manager_prefix=\"inbound_0.0.0.0_80\"} 1\n"),
      std::string::npos);
  EXPECT_NE(text.find("envoy_server_live 1\n"), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::record
