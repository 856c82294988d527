#include "proxy/worker/static_resources.h"

#include <gtest/gtest.h>

#include "core/io/socket.h"
#include "core/xds/decode.h"

namespace plait::proxy::worker {
namespace {

constexpr std::string_view kExtensions = "type.googleapis.com/envoy.extensions.";

// A listener with one chain: routes, TLS settings of the chain (may be empty), and the port.
std::string ListenerWith(const std::string& routes, const std::string& tls = "", int port = 0) {
  const std::string kinds(kExtensions);
  return "{name: web, address: {socket_address: {address: 127.0.0.1, port_value: " + std::to_string(port) +
         "}}, filter_chains: [{" + tls + "filters: [{name: envoy.filters.network.http_connection_manager, " +
         "typed_config: {\"@type\": " + kinds +
         "filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: web, http_filters: [{name: "
         "envoy.filters.http.router, typed_config: {\"@type\": " +
         kinds +
         "filters.http.router.v3.Router}}], route_config: {name: r, virtual_hosts: [{name: all, domains: "
         "[\"*\"], routes: [" +
         routes + "]}]}}}]}]}";
}
std::string RouteTo(const std::string& action) { return "{match: {prefix: /}, route: {" + action + "}}"; }
std::string ChainTls(const std::string& certificate) {
  return "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\"@type\": " + std::string(kExtensions) +
         "transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {" + certificate + "}}}, ";
}
std::string StaticCluster(const std::string& name, const std::string& more = "") {
  return "{name: " + name + ", type: STATIC" + more + ", load_assignment: {cluster_name: " + name +
         ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: "
         "9}}}}]}]}}";
}
std::string Static(const std::string& listeners, const std::string& clusters, const std::string& secrets = "") {
  return "static_resources: {listeners: [" + listeners + "], clusters: [" + clusters + "], secrets: [" + secrets + "]}";
}

Diagnostics ProblemsOf(const std::string& text) {
  const auto bootstrap = xds::ReadBootstrap(text, "test.yaml");
  EXPECT_TRUE(bootstrap) << bootstrap.error().ToString();
  return bootstrap ? Validate(*bootstrap) : Diagnostics{};
}
std::string AllOf(const Diagnostics& problems) {
  std::string text;
  for (const Diagnostic& one : problems) text += one.ToString() + "\n";
  return text;
}

TEST(Validate, AcceptsWhatAStartWouldAlthoughItsPortIsTaken) {
  const io::UniqueFd taken = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  const int port = io::LocalAddress(taken.get()).port.value;
  EXPECT_EQ(AllOf(ProblemsOf(Static(ListenerWith(RouteTo("cluster: a"), "", port), StaticCluster("a")))), "");
}

TEST(Validate, TellsOfEveryUnknownClusterThatRoutesName) {
  const std::string routes =
      RouteTo("cluster: nobody") + ", " +
      RouteTo("weighted_clusters: {clusters: [{name: a, weight: 1}, {name: neither, weight: 1}]}") + ", " +
      RouteTo("cluster: a, request_mirror_policies: [{cluster: shade}]") + ", " + RouteTo("cluster_header: x-cluster");
  const Diagnostics problems = ProblemsOf(Static(ListenerWith(routes), StaticCluster("a")));
  ASSERT_EQ(problems.size(), 3U) << AllOf(problems);
  EXPECT_TRUE(problems[0].message.contains("listener web: virtual host all, route 0: route: unknown cluster 'nobody'"));
  EXPECT_TRUE(problems[1].message.contains("route: unknown weighted cluster 'neither'"));
  EXPECT_TRUE(problems[2].message.contains("route: unknown shadow cluster 'shade'"));
  EXPECT_TRUE(problems[0].hint.contains("validate_clusters"));
}

TEST(Validate, LeavesUnknownClustersToRoutesThatDoNotWantThemChecked) {
  std::string listener = ListenerWith(RouteTo("cluster: later"));
  listener.replace(listener.find("route_config: {"), 15, "route_config: {validate_clusters: false, ");
  EXPECT_EQ(AllOf(ProblemsOf(Static(listener, ""))), "");
}

TEST(Validate, ReadsTheFilesOfTls) {
  const std::string file =
      "tls_certificates: [{certificate_chain: {filename: /nowhere/a.pem}, private_key: {filename: "
      "/nowhere/a.key}}]";
  const std::string listener =
      AllOf(ProblemsOf(Static(ListenerWith(RouteTo("cluster: a"), ChainTls(file)), StaticCluster("a"))));
  EXPECT_TRUE(
      listener.contains("listener web: filter chain '': /nowhere/a.pem cannot be read: No such file or directory"))
      << listener;
  const std::string upstream =
      ", transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\"@type\": " + std::string(kExtensions) +
      "transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {validation_context: {trusted_ca: {filename: "
      "/nowhere/roots.pem}}}}}";
  const std::string cluster = AllOf(ProblemsOf(Static("", StaticCluster("a", upstream))));
  EXPECT_TRUE(cluster.contains("cluster a: /nowhere/roots.pem cannot be read: No such file or directory")) << cluster;
  const std::string secret = AllOf(
      ProblemsOf(Static("", "",
                        "{name: mine, tls_certificate: {certificate_chain: {filename: /nowhere/b.pem}, private_key: "
                        "{inline_string: x}}}")));
  EXPECT_TRUE(secret.contains("secret mine: /nowhere/b.pem cannot be read: No such file or directory")) << secret;
}

TEST(Validate, FindsAKeyThatIsNoKey) {
  const std::string broken =
      "tls_certificates: [{certificate_chain: {inline_string: none}, private_key: {inline_string: none}}]";
  const Diagnostics problems =
      ProblemsOf(Static(ListenerWith(RouteTo("cluster: a"), ChainTls(broken)), StaticCluster("a")));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_TRUE(problems[0].message.starts_with("listener web: filter chain ''")) << problems[0].message;
}

TEST(Validate, AcceptsTlsWhoseSecretComesLater) {
  const std::string later = "tls_certificate_sds_secret_configs: [{name: default, sds_config: {ads: {}}}]";
  EXPECT_EQ(AllOf(ProblemsOf(Static(ListenerWith(RouteTo("cluster: a"), ChainTls(later)), StaticCluster("a")))), "");
}

TEST(Validate, OpensTheAccessLogs) {
  std::string listener = ListenerWith(RouteTo("cluster: a"));
  listener.insert(listener.find("stat_prefix"),
                  "access_log: [{name: file, typed_config: {\"@type\": "
                  "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /nowhere/log}}], ");
  const std::string problems = AllOf(ProblemsOf(Static(listener, StaticCluster("a"))));
  EXPECT_TRUE(problems.contains("access log '/nowhere/log' cannot be opened")) << problems;
}

TEST(Validate, WantsAddressesOfWhatTheMainThreadDials) {
  const std::string dns =
      "{name: xds, type: STRICT_DNS, load_assignment: {cluster_name: xds, endpoints: [{lb_endpoints: [{endpoint: "
      "{address: {socket_address: {address: plaitd.example, port_value: 15012}}}}]}]}}";
  const std::string problems =
      AllOf(ProblemsOf(Static("", dns) +
                       "\ndynamic_resources: {ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, "
                       "grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}"));
  EXPECT_TRUE(problems.contains("ads_config: cluster 'xds' has no endpoint with an IP address")) << problems;
}

TEST(TakeStaticResources, RefusesForAStartWhatValidateRefuses) {
  const auto bootstrap = xds::ReadBootstrap(Static(ListenerWith(RouteTo("cluster: nobody")), ""), "test.yaml");
  ASSERT_TRUE(bootstrap) << bootstrap.error().ToString();
  io::Loop loop;
  telemetry::Registry registry;
  record::LogWriter logs;
  Secrets secrets;
  Sockets sockets({});
  ConfigStore store(loop, {registry, logs}, secrets, sockets, {}, Duration(0));
  const Diagnostics problems = TakeStaticResources(*bootstrap, store, loop.clock().Wall());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0], Validate(*bootstrap).at(0));
}

}  // namespace
}  // namespace plait::proxy::worker
