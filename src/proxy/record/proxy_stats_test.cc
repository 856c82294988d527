#include "proxy/record/proxy_stats.h"

#include <gtest/gtest.h>

namespace plait::proxy::record {
namespace {

TEST(ProxyStats, HaveEnvoysNames) {
  telemetry::Registry registry;
  const HttpStats http(registry, "inbound_0.0.0.0_80", "0.0.0.0_15006");
  const ListenerStats listener(registry, StatNameOf(io::SocketAddress::Parse("0.0.0.0:15006").value()));
  const TcpStats tcp(registry, "PassthroughCluster");
  const ServerStats server(registry);
  const FilesystemStats files(registry);
  const BuildStats build(registry, "1.2.3");
  const ListenerManagerStats listeners(registry);
  const SubscriptionStats lds(registry, SubscriptionStats::Of::kListeners);
  const SubscriptionStats cds(registry, SubscriptionStats::Of::kClusters);
  http.Add(HttpStat::kRqTotal);
  http.Completed(404);
  listener.Add(ListenerStat::kNoFilterChainMatch);
  tcp.Add(TcpStat::kTxBytes, 9);
  server.Set(ServerStat::kLive, 1);
  files.Add(FilesystemStat::kWriteFailed, 2);
  files.Set(FilesystemStat::kWriteTotalBuffered, 3);
  listeners.Set(ListenerManagerStat::kWorkersStarted, 1);
  lds.Add(SubscriptionStat::kRejected);
  cds.Set(SubscriptionStat::kVersion, 7);
  std::string text;
  registry.Scrape({.used_only = true}, text);
  for (const char* line :
       {"http.inbound_0.0.0.0_80.downstream_rq_total: 1\n", "http.inbound_0.0.0.0_80.downstream_rq_4xx: 1\n",
        "listener.0.0.0.0_15006.http.inbound_0.0.0.0_80.downstream_rq_4xx: 1\n",
        "listener.0.0.0.0_15006.http.inbound_0.0.0.0_80.downstream_rq_completed: 1\n",
        "listener.0.0.0.0_15006.no_filter_chain_match: 1\n", "tcp.PassthroughCluster.downstream_cx_tx_bytes_total: 9\n",
        "server.live: 1\n", "filesystem.write_failed: 2\n", "filesystem.write_total_buffered: 3\n",
        "listener_manager.workers_started: 1\n", "listener_manager.lds.update_rejected: 1\n",
        "cluster_manager.cds.version: 7\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  text.clear();
  registry.Scrape({.format = telemetry::Format::kPrometheus}, text);
  EXPECT_NE(
      text.find(
          "envoy_http_downstream_rq{response_code_class=\"4xx\",http_conn_manager_prefix=\"inbound_0.0.0.0_80\"} 1\n"),
      std::string::npos);
  EXPECT_NE(
      text.find("envoy_listener_http_downstream_rq{response_code_class=\"4xx\",listener_address=\"0.0.0.0_15006\","
                "http_conn_manager_listener_prefix=\"inbound_0.0.0.0_80\"} 1\n"),
      std::string::npos);
  EXPECT_NE(text.find("envoy_server_live 1\n"), std::string::npos);
  EXPECT_NE(text.find("istio_build{component=\"proxy\",tag=\"1.2.3\"} 1\n"), std::string::npos);
}

TEST(ProxyStats, OfTheSamePrefixAreTheSame) {
  telemetry::Registry registry;
  const HttpStats before(registry, "web");
  const HttpStats after(registry, "web");
  before.Add(HttpStat::kRqTotal);
  after.Add(HttpStat::kRqTotal);
  EXPECT_EQ(before.Value(HttpStat::kRqTotal), 2u);
}

TEST(ProxyStats, TellFailedHandshakesApart) {
  telemetry::Registry registry;
  const ListenerStats listener(registry, "0.0.0.0_15006");
  listener.HandshakeFailed("");
  listener.HandshakeFailed("the peer closed the connection during the TLS handshake");
  listener.HandshakeFailed("TLS handshake failed: WRONG_VERSION_NUMBER");
  listener.HandshakeFailed("TLS handshake failed: PEER_DID_NOT_RETURN_A_CERTIFICATE");
  listener.HandshakeFailed("peer certificate: not trusted");
  listener.HandshakeFailed("TLS handshake timed out");
  std::string text;
  registry.Scrape({.used_only = true}, text);
  EXPECT_EQ(text,
            "listener.0.0.0.0_15006.downstream_cx_transport_socket_connect_timeout: 1\n"
            "listener.0.0.0.0_15006.ssl.connection_error: 1\n"
            "listener.0.0.0.0_15006.ssl.fail_verify_error: 1\n"
            "listener.0.0.0.0_15006.ssl.fail_verify_no_cert: 1\n");
}

TEST(ProxyStats, NameAListenerByItsAddressWithoutColons) {
  EXPECT_EQ(StatNameOf(io::SocketAddress::Parse("127.0.0.1:80").value()), "127.0.0.1_80");
  EXPECT_EQ(StatNameOf(io::SocketAddress::Parse("[::]:15001").value()), "[__]_15001");
}

}  // namespace
}  // namespace plait::proxy::record
