// The form for a stock Envoy: what its chains match, and that each configuration is one that Envoy can read. With
// PLAIT_WRITE_ENVOY_FORM=<folder> the bootstraps are left there for `envoy --mode validate`
// (tests/conformance/test_envoy_form.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>

#include "control/model/testing_objects.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/extensions.h"
#include "control/translate/listeners.h"
#include "control/translate/names.h"
#include "control/translate/routes.h"
#include "core/xds/encode/encode.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "testing/source_dir.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;

model::SnapshotRef SnapshotOfFile(const std::string& name, const std::string& more = "") {
  std::ifstream in(std::string(plait::testing::SourceDir()) + "/src/control/translate/golden/" + name);
  std::ostringstream text;
  text << in.rdbuf() << "\n---\n" << more;
  return model::testing::SnapshotOf(
      text.str(),
      {RunningPod("reviews-v1-0", "reviews-v1", {{"app", "reviews"}, {"version", "v1"}}, "10.244.0.5", "reviews"),
       RunningPod("web-v1-0", "web-v1", {{"app", "web"}, {"version", "v1"}}, "10.244.0.8", "web"),
       RunningPod("web-v2-0", "web-v2", {{"app", "web"}, {"version", "v2"}}, "10.244.0.9", "web"),
       RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.7", "db", "data")});
}

model::Proxy Web() {
  return {.form = model::Proxy::Form::kEnvoy,
          .id = "web-v1-0.default",
          .name_space = "default",
          .service_account = "web",
          .labels = {{"app", "web"}, {"version", "v1"}},
          .ips = {*io::IpAddress::Parse("10.244.0.8")},
          .application_mark = 0x539};
}

model::Proxy Gateway() {
  return {.type = model::Proxy::Type::kRouter,
          .form = model::Proxy::Form::kEnvoy,
          .name_space = "istio-system",
          .labels = {{"istio", "ingressgateway"}}};
}

const xds::Listener* Find(const std::vector<xds::Listener>& listeners, std::string_view name) {
  for (const xds::Listener& listener : listeners)
    if (listener.name == name) return &listener;
  return nullptr;
}

// The chains of a port, as "[tls|raw_buffer|] first ALPN [mutual] [http|tcp]".
std::multiset<std::string> ChainsOf(const xds::Listener& listener, std::optional<std::uint16_t> port) {
  std::multiset<std::string> out;
  for (const xds::FilterChain& chain : listener.filter_chains) {
    if (chain.match.destination_port != port) continue;
    const auto& alpn = chain.match.application_protocols;
    const bool http = std::holds_alternative<xds::HttpConnectionManager>(chain.filters.back().config);
    out.insert(chain.match.transport_protocol + " " + (alpn.empty() ? "*" : alpn.front()) +
               (chain.tls ? " mutual" : "") + (http ? " http" : " tcp"));
  }
  return out;
}
using Chains = std::multiset<std::string>;

class EnvoyForm : public ::testing::Test {
 protected:
  const model::SnapshotRef snapshot = SnapshotOfFile("envoy-form.yaml");
  const std::vector<xds::Listener> listeners = Listeners(Web(), *snapshot);
  const xds::Listener& inbound = *Find(listeners, "virtualInbound");
};

TEST_F(EnvoyForm, StrictTerminatesWhateverSpeaksTlsAndTakesNothingInPlaintext) {
  EXPECT_EQ(ChainsOf(inbound, 9000), (Chains{"tls * mutual http"}));
}

TEST_F(EnvoyForm, PermissiveTellsTheMeshFromTheApplicationsOwnTlsByAlpn) {
  EXPECT_EQ(ChainsOf(inbound, 8080), (Chains{"tls istio-http/1.0 mutual http", "tls * tcp", "raw_buffer * http"}));
}

TEST_F(EnvoyForm, APortThatDeclaresNothingIsLookedAt) {
  EXPECT_EQ(ChainsOf(inbound, 7000), (Chains{"tls istio-http/1.0 mutual http", "tls istio mutual tcp", "tls * tcp",
                                             "raw_buffer http/1.0 http", "raw_buffer * tcp"}));
}

TEST_F(EnvoyForm, DisableNeverTerminates) {
  EXPECT_EQ(ChainsOf(inbound, 5432), (Chains{"tls * tcp", "raw_buffer * tcp"}));
  EXPECT_EQ(ChainsOf(inbound, 4444), (Chains{"tls * tcp", "raw_buffer http/1.0 http", "raw_buffer * tcp"}));
}

TEST_F(EnvoyForm, OtherPortsHaveTheModeOfTheWorkload) {
  EXPECT_EQ(ChainsOf(inbound, std::nullopt), (Chains{"tls istio-http/1.0 mutual http", "tls * mutual tcp"}));
}

TEST_F(EnvoyForm, EachPolicyStandsBeforeWhatItProtects) {
  for (const xds::FilterChain& chain : inbound.filter_chains) {
    if (chain.match.destination_port == 15006) continue;
    const auto* http = std::get_if<xds::HttpConnectionManager>(&chain.filters.front().config);
    if (http) {
      EXPECT_EQ(http->filters[0].name, "envoy.filters.http.rbac") << chain.name;
      EXPECT_EQ(http->filters[1].name, "envoy.filters.http.rbac") << chain.name;
    } else {
      EXPECT_EQ(chain.filters[0].name, "envoy.filters.network.rbac") << chain.name;
      EXPECT_EQ(chain.filters[1].name, "envoy.filters.network.rbac") << chain.name;
    }
  }
}

TEST_F(EnvoyForm, HttpGoesByHostAtAnyAddressAndTcpByAddress) {
  const xds::Listener* http = Find(listeners, "0.0.0.0_80");
  ASSERT_NE(http, nullptr);
  EXPECT_FALSE(http->bind_to_port);
  EXPECT_EQ(http->listener_filters_timeout, Duration::zero());
  const xds::Listener* tcp = Find(listeners, "10.96.2.1_5432");
  ASSERT_NE(tcp, nullptr);
  EXPECT_TRUE(tcp->listener_filters.empty());  // the server may speak first
  ASSERT_EQ(tcp->filter_chains.size(), 1u);
  const auto& relay = std::get<xds::TcpProxy>(tcp->filter_chains[0].filters.back().config);
  ASSERT_EQ(relay.clusters.size(), 2u);
  EXPECT_EQ(relay.clusters[0].name, "outbound|5432|v1|web.default.svc.cluster.local");
  EXPECT_EQ(relay.clusters[0].weight, 90u);
  const xds::Listener* any = Find(listeners, "10.96.2.1_7000");
  ASSERT_NE(any, nullptr);
  EXPECT_EQ(any->filter_chains.size(), 2u);
}

// The cluster that the last chain of a listener relays to; empty without the listener.
std::string RelaysTo(const xds::Listener* listener) {
  if (listener == nullptr) return "";
  return std::get<xds::TcpProxy>(listener->filter_chains.back().filters.back().config).clusters[0].name;
}

TEST_F(EnvoyForm, PodsOfAHeadlessServiceAreCalledAtTheirOwnAddresses) {
  const std::string name = "outbound|7100||peers.default.svc.cluster.local";
  EXPECT_EQ(RelaysTo(Find(listeners, "10.244.0.9_7100")), name);
  EXPECT_EQ(RelaysTo(Find(listeners, "10.244.0.8_7100")), name);  // its own
  const auto cluster = FindCluster(Web(), *snapshot, name);
  ASSERT_TRUE(cluster);
  EXPECT_EQ(cluster->type, xds::Cluster::Type::kOriginalDst);
  ASSERT_TRUE(cluster->tls);
  EXPECT_EQ(cluster->tls->common.validation->subject_alt_names[0].matcher.value,
            "spiffe://cluster.local/ns/default/sa/web");
  EXPECT_FALSE(FindEndpoints(Web(), *snapshot, cluster->name));
}

TEST_F(EnvoyForm, NamesOfAHeadlessServicesPodsAreThoseOfTheServiceWithOneBefore) {
  const auto routes = FindRoutes(Web(), *snapshot, "7200");
  ASSERT_TRUE(routes);
  const std::vector<std::string>& domains = routes->virtual_hosts[0].domains;
  for (const char* name : {"peers.default.svc.cluster.local", "peers", "peers.default.svc", "peers.default"})
    for (const std::string before : {"", "*."})
      for (const char* after : {"", ":7200"})
        EXPECT_EQ(std::count(domains.begin(), domains.end(), before + name + after), 1) << before << name << after;
}

TEST_F(EnvoyForm, APodWithoutAProxyTakesMutualTlsFromNoOtherPodOfAHeadlessService) {
  model::Workload bare = RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.7", "db");
  bare.meshed = false;
  std::vector<model::Workload> pods{RunningPod("db-1", "db", {{"app", "db"}}, "10.244.0.6", "db"), bare};
  const std::string service = R"(
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: tcp, port: 5432}, {name: any, port: 7000}, {name: http, port: 80}]}
)";
  const std::string outbound = "outbound|5432||db.default.svc.cluster.local";
  const auto mixed = model::testing::SnapshotOf(service, pods);
  std::vector<xds::Listener> all = Listeners(Web(), *mixed);
  for (const char* port : {"5432", "7000", "80"})
    EXPECT_EQ(RelaysTo(Find(all, std::string("10.244.0.7_") + port)), kPassthroughCluster) << port;
  EXPECT_EQ(RelaysTo(Find(all, "10.244.0.6_5432")), outbound);
  EXPECT_EQ(Find(all, "10.244.0.6_80"), nullptr);  // by Host
  for (const char* port : {"5432", "7000", "80"})
    EXPECT_TRUE(FindCluster(Web(), *mixed, std::string("outbound|") + port + "||db.default.svc.cluster.local")->tls);

  pods[0].meshed = false;
  const auto plain = model::testing::SnapshotOf(service, pods);
  all = Listeners(Web(), *plain);
  EXPECT_EQ(RelaysTo(Find(all, "10.244.0.7_5432")), outbound);
  EXPECT_EQ(Find(all, "10.244.0.7_80"), nullptr);
  EXPECT_FALSE(FindCluster(Web(), *plain, outbound)->tls);

  pods[0].meshed = true;
  const auto ruled = model::testing::SnapshotOf(service + R"(
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec: {host: db, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
)",
                                                pods);
  all = Listeners(Web(), *ruled);
  EXPECT_EQ(RelaysTo(Find(all, "10.244.0.7_5432")), outbound);  // as the rule says
  EXPECT_EQ(Find(all, "10.244.0.7_80"), nullptr);
}

TEST_F(EnvoyForm, AWorkloadCallsItsOwnAddressWithItsOwnIdentityWherePlaintextIsRefused) {
  const std::string name = "plait|workload|web";
  EXPECT_EQ(RelaysTo(Find(listeners, "10.244.0.8_9000")), name);
  for (const char* port : {"8080", "7000", "5432", "4444"})  // open to plaintext
    EXPECT_EQ(Find(listeners, std::string("10.244.0.8_") + port), nullptr) << port;
  EXPECT_EQ(Find(listeners, "10.244.0.8_7200"), nullptr);  // of a headless service, by Host
  const auto cluster = FindCluster(Web(), *snapshot, name);
  ASSERT_TRUE(cluster && cluster->tls);
  EXPECT_EQ(cluster->type, xds::Cluster::Type::kOriginalDst);
  const auto& names = cluster->tls->common.validation->subject_alt_names;
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].matcher.value, "spiffe://cluster.local/ns/default/sa/web");
  const std::vector<std::string> clusters = ClusterNames(Web(), *snapshot);
  EXPECT_EQ(std::count(clusters.begin(), clusters.end(), name), 1);
}

TEST_F(EnvoyForm, MutualTlsAndTlsWithFilesMayBeOfBothVersionsOrOfTheNewerOnly) {
  const std::string web = "outbound|80||web.default.svc.cluster.local";
  const auto versions = [](const xds::CommonTlsContext& tls) { return std::pair(tls.minimum, tls.maximum); };
  const std::pair both(xds::TlsVersion::kTls12, xds::TlsVersion::kTls13);
  EXPECT_EQ(versions(FindCluster(Web(), *snapshot, web)->transport_socket_matches[0].tls->common), both);
  const auto newer = SnapshotOfFile("envoy-form.yaml", R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "meshMTLS: {minProtocolVersion: TLSV1_3}"}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: partner}
spec: {host: api.partner.example, trafficPolicy: {tls: {mode: SIMPLE}}}
)");
  EXPECT_EQ(versions(FindCluster(Web(), *newer, web)->transport_socket_matches[0].tls->common),
            std::pair(xds::TlsVersion::kTls13, xds::TlsVersion::kTls13));
  EXPECT_EQ(versions(FindCluster(Web(), *newer, "outbound|443||api.partner.example")->tls->common), both);
}

TEST_F(EnvoyForm, AServerNameOrRangeThatTwoRulesOfAPortHaveIsOfTheFirst) {
  const auto twice = SnapshotOfFile("envoy-form.yaml", R"(
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: named}
spec:
  hosts: [a.example]
  tls:
  - match: [{port: 8443, sniHosts: [a.example]}]
    route: [{destination: {host: a.example}}]
  - match: [{port: 8443, sniHosts: [b.example, a.example, b.example]}]
    route: [{destination: {host: a.example}}]
  - match: [{port: 8443, sniHosts: [b.example]}]
    route: [{destination: {host: a.example}}]
  - match: [{port: 8443, sniHosts: ["*"]}]
    route: [{destination: {host: a.example}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: named}
spec:
  hosts: [a.example]
  addresses: [192.0.2.7]
  ports: [{number: 8443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 192.0.2.7}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: second}
spec:
  hosts: [second.example]
  addresses: [203.0.113.0/24, 198.51.100.0/24]
  ports: [{number: 3306, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.7}]
)");
  const std::vector<xds::Listener> all = Listeners(Web(), *twice);
  std::multiset<std::string> names;
  std::size_t any_name = 0;
  const xds::Listener* by_name = Find(all, "192.0.2.7_8443");
  ASSERT_NE(by_name, nullptr);
  for (const xds::FilterChain& chain : by_name->filter_chains) {
    names.insert(chain.match.server_names.begin(), chain.match.server_names.end());
    any_name += chain.match.server_names.empty() && chain.match.transport_protocol == "tls";
  }
  EXPECT_EQ(names, (std::multiset<std::string>{"a.example", "b.example"}));
  EXPECT_EQ(any_name, 1u);
  std::multiset<std::string> ranges;
  for (const xds::FilterChain& chain : Find(all, "0.0.0.0_3306")->filter_chains)
    for (const io::Cidr& range : chain.match.prefix_ranges) ranges.insert(range.ToString());
  EXPECT_EQ(ranges, (std::multiset<std::string>{"198.51.100.0/24", "203.0.113.0/24"}));
}

TEST_F(EnvoyForm, ARequestOfHttp10WithoutHostIsForTheAddressThatWasCalled) {
  std::set<std::string> hosts;
  for (const xds::FilterChain& chain : inbound.filter_chains)
    if (const auto* http = std::get_if<xds::HttpConnectionManager>(&chain.filters.back().config))
      hosts.insert(http->http1.default_host_for_http_10);
  EXPECT_EQ(hosts, (std::set<std::string>{"10.244.0.8", "10.244.0.8:4444", "10.244.0.8:7000", "10.244.0.8:7200",
                                          "10.244.0.8:8080", "10.244.0.8:9000"}));
}

TEST_F(EnvoyForm, RangesAndNamesOfExternalServicesAreChainsOfThePort) {
  const xds::Listener* by_range = Find(listeners, "0.0.0.0_3306");
  ASSERT_NE(by_range, nullptr);
  EXPECT_EQ(by_range->filter_chains[0].match.prefix_ranges[0].ToString(), "203.0.113.0/24");
  ASSERT_TRUE(by_range->default_filter_chain);
}

TEST_F(EnvoyForm, AnUnknownHostIsForTheOutboundPolicy) {
  const auto open = FindRoutes(Web(), *snapshot, "80");
  ASSERT_TRUE(open);
  EXPECT_EQ(open->virtual_hosts.back().name, "allow_any");
  const auto closed = SnapshotOfFile("envoy-form.yaml", R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"}
)");
  const auto none = FindRoutes(Web(), *closed, "80");
  ASSERT_TRUE(none);
  EXPECT_EQ(std::get<xds::DirectResponse>(none->virtual_hosts.back().routes[0].action).status, 502);
  const std::vector<xds::Listener> all = Listeners(Web(), *closed);
  EXPECT_EQ(std::get<xds::TcpProxy>(all[0].filter_chains.back().filters.back().config).clusters[0].name,
            kBlackHoleCluster);
}

TEST_F(EnvoyForm, TheAlpnOfAClusterSaysWhatIsInsideUnlessAFilterChoosesIt) {
  const std::string http = "outbound|80||web.default.svc.cluster.local";
  const auto alpn = [&](const model::Proxy& proxy, const std::string& name) {
    return FindCluster(proxy, *snapshot, name)->transport_socket_matches[0].tls->common.alpn_protocols;
  };
  EXPECT_EQ(alpn(Web(), http)[0], "istio-http/1.1");
  EXPECT_EQ(alpn(Web(), "outbound|9000||web.default.svc.cluster.local")[0], "istio-h2");
  for (const char* port : {"5432", "7000"})
    EXPECT_EQ(alpn(Web(), "outbound|" + std::string(port) + "||web.default.svc.cluster.local"),
              std::vector<std::string>{"istio"});
  model::Proxy istio = Web();
  istio.extensions = OptionalExtensionsOf({"istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig", "other"});
  EXPECT_EQ(alpn(istio, http), std::vector<std::string>{"istio"});
}

TEST_F(EnvoyForm, AServiceWithoutEndpointsTakesNobodyElsesCertificate) {
  const auto empty = SnapshotOfFile("envoy-form.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: far}
spec: {clusterIP: 10.96.2.9, selector: {app: nobody}, ports: [{name: http, port: 80}]}
)");
  const auto cluster = FindCluster(Web(), *empty, "outbound|80||nobody.far.svc.cluster.local");
  ASSERT_TRUE(cluster);
  const auto& names = cluster->transport_socket_matches[0].tls->common.validation->subject_alt_names;
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].matcher.value, "spiffe://cluster.local/ns/far/");
}

TEST_F(EnvoyForm, ExtensionsThatTheClientDoesNotListAreLeftOut) {
  const auto names = [&](const model::Proxy& proxy) {
    std::set<std::string> out;
    for (const xds::Listener& listener : Listeners(proxy, *snapshot))
      for (const xds::FilterChain& chain : listener.filter_chains)
        for (const xds::NetworkFilter& filter : chain.filters) {
          out.insert(filter.name);
          if (const auto* http = std::get_if<xds::HttpConnectionManager>(&filter.config))
            for (const xds::HttpFilter& inner : http->filters) out.insert(inner.name);
        }
    return out;
  };
  EXPECT_EQ(names(Web()),
            (std::set<std::string>{"envoy.filters.http.cors", "envoy.filters.http.fault", "envoy.filters.http.rbac",
                                   "envoy.filters.http.router", "envoy.filters.network.http_connection_manager",
                                   "envoy.filters.network.rbac", "envoy.filters.network.tcp_proxy"}));
  model::Proxy istio = Web();
  istio.extensions = OptionalExtensionsOf({"stats.PluginConfig"});
  EXPECT_TRUE(names(istio).contains("istio.stats"));
  EXPECT_FALSE(names(istio).contains("istio.alpn"));
}

// Everything that the proxy gets, as one bootstrap: what comes by ADS stands in it as static resources.
std::string BootstrapOf(const model::Proxy& proxy, const model::Snapshot& mesh) {
  envoy::config::bootstrap::v3::Bootstrap out;
  out.mutable_node()->set_id("sidecar~10.244.0.8~" + proxy.id + "~default.svc.cluster.local");
  out.mutable_node()->set_cluster("web");
  for (const char* name : {"xds-grpc", "sds-grpc"}) {
    auto& cluster = *out.mutable_static_resources()->add_clusters();
    cluster.set_name(name);
    cluster.mutable_load_assignment()->set_cluster_name(name);
  }
  auto& ads = *out.mutable_dynamic_resources()->mutable_ads_config();
  ads.set_api_type(envoy::config::core::v3::ApiConfigSource::DELTA_GRPC);
  ads.set_transport_api_version(envoy::config::core::v3::V3);
  ads.add_grpc_services()->mutable_envoy_grpc()->set_cluster_name("xds-grpc");
  for (const std::string& name : ClusterNames(proxy, mesh))
    EXPECT_TRUE(out.mutable_static_resources()->add_clusters()->ParseFromString(
        xds::Encode(*FindCluster(proxy, mesh, name), proxy.application_mark)));
  for (const xds::Listener& listener : Listeners(proxy, mesh)) {
    auto& to = *out.mutable_static_resources()->add_listeners();
    EXPECT_TRUE(to.ParseFromString(xds::Encode(listener)));
  }
  // RDS has no place of its own in a bootstrap: a listener that nobody can reach holds each.
  int port = 1;
  for (const std::string& name : RouteNames(proxy, mesh)) {
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager manager;
    manager.set_stat_prefix(name);
    EXPECT_TRUE(manager.mutable_route_config()->ParseFromString(xds::Encode(*FindRoutes(proxy, mesh, name))));
    manager.mutable_route_config()->mutable_validate_clusters()->set_value(true);
    auto& router = *manager.add_http_filters();
    router.set_name("envoy.filters.http.router");
    router.mutable_typed_config()->set_type_url("type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
    auto& listener = *out.mutable_static_resources()->add_listeners();
    listener.set_name("routes " + name);
    listener.mutable_address()->mutable_socket_address()->set_address("127.0.0.1");
    listener.mutable_address()->mutable_socket_address()->set_port_value(static_cast<std::uint32_t>(port++));
    auto& filter = *listener.add_filter_chains()->add_filters();
    filter.set_name("envoy.filters.network.http_connection_manager");
    filter.mutable_typed_config()->PackFrom(manager);
  }
  return out.SerializeAsString();
}

TEST(EnvoyFormBootstrap, HoldsWhatEachProxyGets) {
  const struct {
    const char* name;
    const char* file;
    model::Proxy proxy;
  } kCases[] = {
      {"web", "envoy-form.yaml", Web()},
      {"client", "envoy-form.yaml", {.form = model::Proxy::Form::kEnvoy, .id = "c-0.default", .name_space = "default"}},
      {"bookinfo",
       "bookinfo.yaml",
       {.form = model::Proxy::Form::kEnvoy,
        .id = "reviews-v1-0.default",
        .name_space = "default",
        .labels = {{"app", "reviews"}, {"version", "v1"}},
        .ips = {*io::IpAddress::Parse("10.244.0.5")}}},
      {"gateway", "bookinfo.yaml", Gateway()},
      {"gateway-behind-proxies", "gateway-behind-proxies.yaml", Gateway()},
  };
  for (const auto& one : kCases) {
    const std::string bytes = BootstrapOf(one.proxy, *SnapshotOfFile(one.file, R"(
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: by-name}
spec: {hosts: [by.name.example], resolution: DNS, ports: [{number: 8443, name: http, protocol: HTTP}]}
)"));
    EXPECT_FALSE(bytes.empty());
    if (const char* folder = std::getenv("PLAIT_WRITE_ENVOY_FORM"))
      std::ofstream(std::string(folder) + "/" + one.name + ".pb") << bytes;
  }
}

}  // namespace
}  // namespace plait::control::translate
